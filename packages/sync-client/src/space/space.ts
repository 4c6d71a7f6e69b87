import {
  opKey,
  randomHexId,
  rightsByRole,
  rightsOf,
  spaceSchema,
  SyncError,
  treeIdSchema,
  type RoleName,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'
import { toTreeOperation, type Replica } from '@t69/replica'

import type { Session, SpaceDirectory } from '../account/index.ts'
import type { Space, SpaceStatus } from '../api.ts'
import type { SyncReport } from '../engine/index.ts'
import { createListeners, type Runtime } from '../runtime/index.ts'
import {
  type ClientStorage,
  isLocalUri,
  localUri,
  type PageJournal,
  type StoredSpace,
  unsynced,
} from '../storage/index.ts'
import type { TabMessage } from '../tabs/index.ts'
import { createEditWriter } from './edit-writer.ts'
import { createOpenTrees } from './open-trees.ts'
import { createPacedMerge } from './paced-merge.ts'
import { createPendingCounter } from './pending-counter.ts'
import { createSpacePresence } from './space-presence.ts'
import { createSpaceSharing } from './space-sharing.ts'
import { statusOf } from './space-status.ts'
import type { OpenSpace } from './tab-space.ts'
import { createTransientReceiver, createTransientSender } from './transients.ts'
import { createTreeChecks } from './tree-checks.ts'

export interface OpenSpaceDeps {
  readonly storage: ClientStorage
  readonly journal: PageJournal
  readonly runtime: Runtime
  readonly session: Session
  readonly directory: SpaceDirectory
  /** Names this tab to the others. */
  readonly tab: string
  /** To the tab that leads, which may be this one, and to all others. */
  readonly tell: (message: TabMessage) => void
  readonly onClosed: () => void
}

/** What is assumed until the tab that leads has said something. */
const silent: SyncReport = {
  phase: 'connecting',
  role: null,
  cursor: 0,
  head: 0,
  error: null,
  pushError: null,
}

export function openSpace(
  found: StoredSpace,
  deps: OpenSpaceDeps,
  options: { readonly isNew?: boolean } = {},
): OpenSpace {
  const { storage, runtime, session, tell } = deps
  const spaceId = found.id
  const rootId: TreeId = treeIdSchema.parse(spaceId)
  const statusListeners = createListeners<SpaceStatus>()
  const presence = createSpacePresence()
  const replacedListeners = createListeners<TreeId>()
  let stored = found
  let report = silent
  let presenceState: Extract<TabMessage, { type: 'presence-set' }> | null = null
  let closed: Promise<void> | null = null
  let isDeleted = false
  let changes = 0

  const writer = createEditWriter({
    runtime,
    append: (ops) => deps.journal.around(spaceId, ops, () => storage.appendLocal(spaceId, ops)),
    hold: (ops) => deps.journal.hold(spaceId, ops),
    async onStored(ops) {
      for (const op of ops) inHand.delete(opKey(op))
      tell({ type: 'edited', spaceId, ops: [...ops] })
      await counter.recount()
    },
    onChange: changed,
  })
  /** Edits that the writer has. */
  const inHand = new Set<string>()
  function write(op: TreeOperation): void {
    inHand.add(opKey(op))
    writer.add(op)
  }
  const sender = createTransientSender(runtime, (changes) =>
    tell({ type: 'transients-made', spaceId, tab: deps.tab, changes: [...changes] }),
  )
  const receiver = createTransientReceiver(({ treeId, targetId, key, opId }, value) => {
    const id = opId && { counter: opId.clock, peerId: opId.peerId }
    trees.get(treeId)?.showTransient(targetId, key, value, id)
  })
  /** What is noted is shown, too: it may wait for room on the disk, since before this page was opened. */
  async function readTree(treeId: TreeId): Promise<TreeOperation[]> {
    const kept = await storage.readTree(spaceId, treeId)
    return [...kept, ...deps.journal.noted(spaceId).filter((op) => op.treeId === treeId)]
  }
  const trees = createOpenTrees({
    spaceId,
    readTree,
    onEdit(op) {
      if (op.key !== undefined) sender.stored(op)
      write(op)
      checks.changed(op.treeId)
    },
    onTransient: (change) => sender.set(change),
    onFilled(treeId) {
      receiver.showAgain(treeId)
      checks.changed(treeId)
    },
    stored: () => writer.stored(),
  })
  const checks = createTreeChecks({
    runtime,
    trees,
    readTree,
    cursor() {
      const { phase, pending, cursor, head } = status()
      return phase === 'live' && pending === 0 && cursor === head && !pace.isBehind ? cursor : null
    },
    compare: (treeId, cursor, digest) =>
      tell({ type: 'shown', spaceId, tab: deps.tab, tree: { treeId, cursor, digest } }),
    distrust: () => tell({ type: 'distrusted', spaceId }),
    report: (divergence) => tell({ type: 'diverged', spaceId, divergence }),
    onReplaced: (treeId) => void (closed === null && replacedListeners.emit(treeId)),
  })

  const pace = createPacedMerge(runtime, show)

  const counter = createPendingCounter(spaceId, { storage, runtime, onCounted: changed })

  const status = (): SpaceStatus =>
    statusOf({
      stored,
      session,
      report,
      counts: counter.counts,
      unstored: writer.unstored,
      storageError: writer.error,
    })

  function changed(): void {
    changes++
    const latest = status()
    statusListeners.emit(latest)
    presence.show(latest.phase === 'live')
    checks.resumed()
  }

  const rootTree = options.isNew === true ? Promise.resolve(trees.create(rootId)) : trees.open(rootId)

  async function putStored(next: StoredSpace): Promise<void> {
    await storage.putSpace(next)
    stored = next
    tell({ type: 'spaces-changed' })
    changed()
  }

  function letGo(): void {
    sender.stop()
    checks.stop()
    pace.stop()
    counter.stop()
    trees.dispose()
    presence.forget()
    deps.onClosed()
  }

  async function isFlushed(): Promise<boolean> {
    await writer.stored()
    // In this order: what the server lacks is in the outbox once the reconciliation is over, not before.
    const state = await storage.getSyncState(spaceId)
    const { pending } = await counter.countNow()
    return state?.reconciling === false && pending === 0 && writer.unstored === 0
  }

  async function close(): Promise<void> {
    try {
      await writer.close()
    } finally {
      letGo()
    }
  }

  function role(): RoleName | null {
    if (stored.userId === null) return null
    return report.role ?? deps.directory.roleOf(spaceId) ?? (isLocalUri(stored.uri) ? 'owner' : null)
  }

  const withRoot = (root: Replica): Space => ({
    ...createSpaceSharing(spaceId, session),
    id: spaceId,
    get root() {
      return trees.get(rootId) ?? root
    },
    get name() {
      return stored.name ?? ''
    },
    get role() {
      return role()
    },
    get rights() {
      if (stored.userId === null) return rightsByRole.owner
      return rightsOf(role() ?? 'editor')
    },
    openTree: (treeId) => trees.open(parseTreeId(treeId)),
    // Does not wait for the disk: whoever asked for a new chat may type into it in this very turn.
    createTree: async () => trees.create(treeIdSchema.parse(randomHexId())),
    closeTree: (treeId) => trees.close(parseTreeId(treeId)),
    treeIdOf(tree) {
      const treeId = trees.treeIdOf(tree)
      if (treeId === undefined) throw new SyncError('not_found', 'The tree is not one of this space')
      return treeId
    },
    async enableSync() {
      const user = session.user
      if (user === null) throw new SyncError('unauthenticated', 'Sign in to sync this space')
      if (stored.userId === user.id) return
      if (stored.userId !== null) throw new SyncError('forbidden', "This is another user's space")
      await writer.stored()
      await storage.putSyncState(spaceId, unsynced)
      await putStored({ ...stored, uri: localUri(spaceId), userId: user.id })
    },
    get isDeleted() {
      return isDeleted
    },
    get status() {
      return status()
    },
    onStatus: (listener) => statusListeners.add(listener),
    stored: () => writer.stored(),
    async flushed() {
      if (stored.userId === null) throw new SyncError('invalid_request', 'This space does not sync')
      for (let seen = changes; !(await isFlushed()); seen = changes) {
        if (closed !== null) throw new SyncError('unavailable', 'The space was closed')
        if (changes === seen) await nextChange()
      }
    },
    rejectedEdits: () => storage.readRejected(spaceId),
    async retryRejected() {
      await storage.retryRejected(spaceId)
      await counter.recount()
      tell({ type: 'edited', spaceId, ops: [] })
    },
    async discardRejected() {
      await writer.stored()
      const treeIds = new Set((await storage.readRejected(spaceId)).map(({ op }) => op.treeId))
      await storage.discardRejected(spaceId)
      await discarded([...treeIds])
      tell({ type: 'discarded', spaceId, treeIds: [...treeIds] })
    },
    onReplaced: (listener) => replacedListeners.add(listener),
    async rename(name) {
      if (stored.userId !== null && !isLocalUri(stored.uri)) {
        const path = `/api/spaces/${spaceId}`
        const summary = await session.call({ method: 'PATCH', path, body: { name } }, spaceSchema)
        await deps.directory.remember(summary)
      }
      await putStored({ ...stored, name: name.trim() })
    },
    get presence() {
      return presence.shown
    },
    setPresence(state) {
      presenceState = { type: 'presence-set', spaceId, state }
      tell(presenceState)
    },
    onPresence: (listener) => presence.listeners.add(listener),
    close: () => (closed ??= close()),
  })

  async function discarded(treeIds: readonly TreeId[]): Promise<void> {
    await counter.recount()
    for (const treeId of treeIds) {
      if (trees.get(treeId) === undefined) continue
      await trees.replace(treeId)
      if (closed === null) replacedListeners.emit(treeId)
    }
  }

  function nextChange(): Promise<void> {
    return new Promise((resolve) => {
      const stop = statusListeners.add(() => {
        stop()
        resolve()
      })
    })
  }

  async function opened(): Promise<Space> {
    const root = await rootTree
    if (options.isNew === true) await writer.stored()
    await counter.recount()
    return withRoot(root)
  }

  function show(ops: readonly TreeOperation[]): void {
    trees.show(ops)
    const grown = new Set<TreeId>()
    for (const op of ops) {
      if (op.key === undefined) grown.add(op.treeId)
      else receiver.stored(op)
    }
    // What was said of a vertex before it was here.
    for (const treeId of grown) receiver.showAgain(treeId)
    for (const treeId of new Set(ops.map((op) => op.treeId))) checks.changed(treeId)
  }

  return {
    space: opened(),
    get closing() {
      return closed
    },
    show,
    follow: (ops) => pace.add(ops),
    adopt(ops) {
      show(ops)
      for (const op of ops) if (!inHand.has(opKey(op))) write(op)
    },
    reported(next) {
      report = next
      changed()
    },
    present(next) {
      const hasNewcomer = presence.named(next)
      receiver.keepOnly((from) => from.startsWith('tab:') || next.some((one) => one.connectionId === from))
      if (hasNewcomer) sender.repeatWhole()
      presence.show(status().phase === 'live')
    },
    transients: (from, changes) => receiver.apply(from, changes),
    discarded,
    judged: (verdict) => checks.compared(verdict),
    rebuilt: () => checks.rebuilt(),
    async putBack() {
      const spacePut = storage.putSpace(stored)
      // All of it is noted before any is stored: the page may be reloaded in the midst of this.
      const treesPut = trees.ids().map((treeId) => {
        const ops = (trees.get(treeId)?.getAllOps() ?? []).map((op) =>
          toTreeOperation(op, { spaceId, treeId }),
        )
        return deps.journal.around(spaceId, ops, () => spacePut.then(() => storage.appendLocal(spaceId, ops)))
      })
      await Promise.all(treesPut)
      // After the operations: what the log lacks of them is found as the log is read again.
      if (stored.userId !== null) await storage.putSyncState(spaceId, unsynced)
      tell({ type: 'distrusted', spaceId })
      tell({ type: 'spaces-changed' })
      await counter.recount()
    },
    recount: () => counter.recount(),
    async reread() {
      stored = (await storage.getSpace(spaceId)) ?? stored
      changed()
    },
    announce() {
      report = silent
      if (presenceState !== null) tell(presenceState)
    },
    async takenOver() {
      // Tabs that are still there say again what they show.
      receiver.keepOnly((from) => !from.startsWith('tab:'))
      sender.repeatWhole()
      await counter.recount()
      // A storage that fails here has nothing to add; the next page reads it all.
      await trees.reload().catch(() => {})
    },
    left: (tab) => receiver.keepOnly((from) => from !== `tab:${tab}`),
    hurry: () => writer.hurry(),
    reload: () => trees.reload(),
    abandon() {
      isDeleted = true
      closed ??= Promise.resolve()
      letGo()
      changed()
    },
  }
}

function parseTreeId(treeId: string): TreeId {
  const parsed = treeIdSchema.safeParse(treeId)
  if (parsed.success) return parsed.data
  throw new SyncError('invalid_request', `"${treeId}" is not the id of a tree`)
}
