import {
  inviteListSchema,
  inviteSchema,
  memberListSchema,
  opKey,
  randomHexId,
  spaceSchema,
  SyncError,
  treeIdSchema,
  type ErrorBody,
  type Presence,
  type TransientChange,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'
import { toTreeOperation, type Replica } from '@t69/replica'

import type { Space, SpaceStatus } from './api.ts'
import { createEditWriter } from './edit-writer.ts'
import { noReply } from './http.ts'
import { createListeners } from './listeners.ts'
import { createOpenTrees } from './open-trees.ts'
import type { PageJournal } from './page-journal.ts'
import type { Runtime } from './runtime.ts'
import type { Session } from './session.ts'
import type { SpaceDirectory } from './space-directory.ts'
import { isLocalUri, localUri } from './space-uri.ts'
import type { ClientStorage, PendingCounts, StoredSpace } from './storage.ts'
import { unsynced } from './sync-machine.ts'
import type { SyncReport } from './sync-status.ts'
import type { TabMessage } from './tab-messages.ts'
import { createTransientReceiver, createTransientSender } from './transients.ts'
import { createTreeChecks } from './tree-checks.ts'
import type { TreeVerdict } from './tree-verdict.ts'

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

/** A space that this tab has open: what the app sees, and by what the rest of the client reaches it. */
export interface OpenSpace {
  /** The space, once its tree is read. What comes meanwhile is not missed. */
  readonly space: Promise<Space>
  /** Operations that are stored and come from elsewhere: the server, or another tab. */
  show(ops: readonly TreeOperation[]): void
  /** Edits that a page before this one, or a tab that is gone, could not store: this one goes on to try. */
  adopt(ops: readonly TreeOperation[]): void
  reported(report: SyncReport): void
  present(present: readonly Presence[]): void
  transients(from: string, changes: readonly TransientChange[]): void
  /** Refused edits of these trees are gone from the storage. */
  discarded(treeIds: readonly TreeId[]): Promise<void>
  /** How a tree that this tab shows compares with the server's. */
  judged(verdict: TreeVerdict): void
  /** All of the space was stored anew from the log. */
  rebuilt(): Promise<void>
  /** The storage was emptied: writes into it what this tab has, from where syncing begins anew. */
  putBack(): Promise<void>
  /** The outbox, or what was refused, has changed. */
  recount(): Promise<void>
  /** What is stored of the space itself has changed, or who is signed in. */
  reread(): Promise<void>
  /** Says again what the tab that leads has to know: another one leads now. */
  announce(): void
  /** Another tab leads from now on. The one before may not have said all that it had stored. */
  takenOver(): Promise<void>
  /** Another tab is gone, and with it what it showed without storing it. */
  left(tab: string): void
  /** The page may be gone in a moment. */
  hurry(): void
  /** The page was frozen, and has not heard the other tabs. */
  reload(): Promise<void>
  /** The space was deleted: lets go of it without storing anything. */
  abandon(): void
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
  const presenceListeners = createListeners<readonly Presence[]>()
  const replacedListeners = createListeners<TreeId>()
  let stored = found
  let report = silent
  let counts: PendingCounts = { pending: 0, rejected: 0 }
  /** As the tab that leads named them last, and as much of it as the app is told. */
  let named: readonly Presence[] = []
  let present: readonly Presence[] = []
  let presenceState: Extract<TabMessage, { type: 'presence-set' }> | null = null
  let closed: Promise<void> | null = null
  let counting = 0
  let changes = 0

  const writer = createEditWriter({
    runtime,
    append: (ops) => deps.journal.around(spaceId, ops, () => storage.appendLocal(spaceId, ops)),
    hold: (ops) => deps.journal.hold(spaceId, ops),
    async onStored(ops) {
      for (const op of ops) inHand.delete(opKey(op))
      tell({ type: 'edited', spaceId, ops: [...ops] })
      await recount()
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
  const receiver = createTransientReceiver((treeId, targetId, key, value) =>
    trees.get(treeId)?.showTransient(targetId, key, value),
  )
  /** What is noted is shown, too: it may wait for room on the disk, since before this page was opened. */
  async function readTree(treeId: TreeId): Promise<TreeOperation[]> {
    const kept = await storage.readTree(spaceId, treeId)
    return [...kept, ...deps.journal.noted(spaceId).filter((op) => op.treeId === treeId)]
  }
  const trees = createOpenTrees({
    spaceId,
    readTree,
    onEdit(op) {
      if (op.key !== undefined) sender.stored(op.treeId, op.targetId, op.key)
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
      return phase === 'live' && pending === 0 && cursor === head ? cursor : null
    },
    compare: (treeId, cursor, digest) =>
      tell({ type: 'shown', spaceId, tab: deps.tab, tree: { treeId, cursor, digest } }),
    distrust: () => tell({ type: 'distrusted', spaceId }),
    report: (divergence) => tell({ type: 'diverged', spaceId, divergence }),
    onReplaced: (treeId) => void (closed === null && replacedListeners.emit(treeId)),
  })

  /** A count that was overtaken by a later one says nothing. */
  async function recount(): Promise<void> {
    const number = ++counting
    const latest = await storage.countPending(spaceId).catch(() => counts)
    if (number !== counting) return
    counts = latest
    changed()
  }

  function status(): SpaceStatus {
    const pending = counts.pending + writer.unstored
    const { cursor, head, pushError } = report
    const unstored = writer.error === null ? null : messageOf(writer.error)
    const base = { pending, rejected: counts.rejected, cursor, head, unstored }
    const storageError: SpaceStatus['error'] =
      unstored === null ? null : { code: 'storage_failed', message: `Edits are not on disk yet: ${unstored}` }
    if (stored.userId === null) return { ...base, phase: 'local', error: storageError }
    if (session.isGone(stored.userId))
      return { ...base, phase: 'blocked', error: storageError ?? accountGone }
    if (stored.userId !== session.user?.id) return { ...base, phase: 'signed-out', error: storageError }
    const error = storageError ?? report.error ?? (pending > 0 ? pushError : null)
    return { ...base, phase: report.phase, error }
  }

  function changed(): void {
    changes++
    const latest = status()
    statusListeners.emit(latest)
    // Whoever was here when the connection broke, or when the user was removed, is here no longer.
    showPresent(latest.phase === 'live' ? named : [])
  }

  function showPresent(next: readonly Presence[]): void {
    if (next === present || (next.length === 0 && present.length === 0)) return
    present = next
    presenceListeners.emit(next)
  }

  const path = (rest = ''): string => `/api/spaces/${spaceId}${rest}`
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
    trees.dispose()
    named = []
    present = []
    deps.onClosed()
  }

  async function isFlushed(): Promise<boolean> {
    await writer.stored()
    // In this order: what the server lacks is in the outbox once the reconciliation is over, not before.
    const state = await storage.getSyncState(spaceId)
    const latest = await storage.countPending(spaceId)
    if (latest.pending !== counts.pending || latest.rejected !== counts.rejected) {
      counting++
      counts = latest
      changed()
    }
    return state?.reconciling === false && latest.pending === 0 && writer.unstored === 0
  }

  async function close(): Promise<void> {
    try {
      await writer.close()
    } finally {
      letGo()
    }
  }

  const withRoot = (root: Replica): Space => ({
    id: spaceId,
    get root() {
      return trees.get(rootId) ?? root
    },
    get name() {
      return stored.name ?? ''
    },
    get role() {
      if (stored.userId === null) return null
      return report.role ?? deps.directory.roleOf(spaceId) ?? (isLocalUri(stored.uri) ? 'owner' : null)
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
      await recount()
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
        const summary = await session.call({ method: 'PATCH', path: path(), body: { name } }, spaceSchema)
        await deps.directory.remember(summary)
      }
      await putStored({ ...stored, name: name.trim() })
    },
    members: async () =>
      (await session.call({ method: 'GET', path: path('/members') }, memberListSchema)).members,
    async changeRole(userId, role) {
      await session.call({ method: 'PATCH', path: path(`/members/${userId}`), body: { role } }, noReply)
    },
    async removeMember(userId) {
      await session.call({ method: 'DELETE', path: path(`/members/${userId}`) }, noReply)
    },
    invite: (role) => session.call({ method: 'POST', path: path('/invites'), body: { role } }, inviteSchema),
    invites: async () =>
      (await session.call({ method: 'GET', path: path('/invites') }, inviteListSchema)).invites,
    async withdrawInvite(inviteId) {
      await session.call({ method: 'DELETE', path: path(`/invites/${inviteId}`) }, noReply)
    },
    get presence() {
      return present
    },
    setPresence(state) {
      presenceState = { type: 'presence-set', spaceId, state }
      tell(presenceState)
    },
    onPresence: (listener) => presenceListeners.add(listener),
    close: () => (closed ??= close()),
  })

  async function discarded(treeIds: readonly TreeId[]): Promise<void> {
    await recount()
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
    await recount()
    return withRoot(root)
  }

  function show(ops: readonly TreeOperation[]): void {
    trees.show(ops)
    const grown = new Set<TreeId>()
    for (const op of ops) {
      if (op.key === undefined) grown.add(op.treeId)
      else receiver.stored(op.treeId, op.targetId, op.key)
    }
    // What was said of a vertex before it was here.
    for (const treeId of grown) receiver.showAgain(treeId)
    for (const treeId of new Set(ops.map((op) => op.treeId))) checks.changed(treeId)
  }

  return {
    space: opened(),
    show,
    adopt(ops) {
      show(ops)
      for (const op of ops) if (!inHand.has(opKey(op))) write(op)
    },
    reported(next) {
      report = next
      changed()
    },
    present(next) {
      const newcomer = next.some((one) => !named.some((other) => other.connectionId === one.connectionId))
      named = next
      receiver.keepOnly((from) => from.startsWith('tab:') || next.some((one) => one.connectionId === from))
      if (newcomer) sender.repeatWhole()
      if (status().phase === 'live') showPresent(next)
    },
    transients: (from, changes) => receiver.apply(from, changes),
    discarded,
    judged: (verdict) => checks.compared(verdict),
    rebuilt: () => checks.rebuilt(),
    async putBack() {
      await storage.putSpace(stored)
      for (const treeId of trees.ids()) {
        const ops = trees.get(treeId)?.getAllOps() ?? []
        await storage.appendLocal(
          spaceId,
          ops.map((op) => toTreeOperation(op, { spaceId, treeId })),
        )
      }
      // After the operations: what the log lacks of them is found as the log is read again.
      if (stored.userId !== null) await storage.putSyncState(spaceId, unsynced)
      tell({ type: 'distrusted', spaceId })
      tell({ type: 'spaces-changed' })
      await recount()
    },
    recount,
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
      await recount()
      // A storage that fails here has nothing to add; the next page reads it all.
      await trees.reload().catch(() => {})
    },
    left: (tab) => receiver.keepOnly((from) => from !== `tab:${tab}`),
    hurry: () => writer.hurry(),
    reload: () => trees.reload(),
    abandon() {
      closed ??= Promise.resolve()
      letGo()
      changed()
    },
  }
}

const accountGone: ErrorBody = {
  code: 'unauthenticated',
  message: 'the account was deleted, and what is here stays on this device',
}

function parseTreeId(treeId: string): TreeId {
  const parsed = treeIdSchema.safeParse(treeId)
  if (parsed.success) return parsed.data
  throw new SyncError('invalid_request', `"${treeId}" is not the id of a tree`)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
