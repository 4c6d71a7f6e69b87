import { SyncError, treeIdSchema, type TreeId } from '@t69/protocol'
import { toTreeOperation, type Replica } from '@t69/replica'

import type { Account, SpaceDirectory } from '../account/index.ts'
import type { Space, SpaceStatus } from '../api.ts'
import type { SyncReport } from '../engine/index.ts'
import { createListeners, type Runtime } from '../runtime/index.ts'
import {
  isLocalUri,
  unsynced,
  type ClientStorage,
  type PageJournal,
  type StoredSpace,
} from '../storage/index.ts'
import type { SpaceMessage, Tell } from '../tabs/index.ts'
import { createEditWriter } from './edit-writer.ts'
import { untilStored } from './flushed.ts'
import { createPendingCounter } from './pending-counter.ts'
import { createRefusedEdits } from './refused-edits.ts'
import { createShownTrees } from './shown-trees.ts'
import { createSpacePresence } from './space-presence.ts'
import { createSpaceRecord } from './space-record.ts'
import { sameStatus, statusOf } from './space-status.ts'
import { createSpace } from './space.ts'

/** A space that this tab has open: the app's `Space`, and the rest of the client's handle on it. */
export interface TabSpace {
  /** Resolves when the space's tree is read. Operations that arrive meanwhile are not missed. */
  readonly space: Promise<Space>
  /** The stored record of the space, as this tab last read it. */
  readonly record: StoredSpace
  /** As `Space.status`, also while the space is still being opened. */
  readonly status: SpaceStatus
  /** Its user is not signed in, or the space is not open again yet. It is not synced, and its trees are disposed. */
  readonly isLocked: boolean
  /** Settles when the space is closed; null until somebody closes it. */
  readonly closing: Promise<void> | null
  /** `isOwn`: the message was told in this tab. */
  hear(message: SpaceMessage, isOwn: boolean): void
  /** Takes over the edits that an earlier page or a closed tab noted and could not store. */
  takeOver(): void
  /** The storage was emptied: writes everything that this tab has into it. Syncing starts over from there. */
  putBack(): Promise<void>
  /** Resolves when every edit made so far is on disk. */
  stored(): Promise<void>
  /** Starts to write the waiting edits: the page may be closed at any moment. */
  writeNow(): void
  /** Reads the stored operations again: the page was frozen, and has missed what other tabs told. */
  reload(): Promise<void>
  /** As `Space.close`, also while the space is still being opened, which ends with `unavailable` then. */
  close(): Promise<void>
  /**
   * Locks the space because its user is no longer signed in; one that is still being opened is closed. Its trees take no
   * edits from this call on, and those made before are stored. Resolves when they are, or the disk has refused them.
   * Never rejects.
   */
  lock(): Promise<void>
  /**
   * Opens a locked space again, with the trees that were open, if its user is signed in. Rejects, and leaves it locked, if
   * the storage cannot be read. Abandons a space that the storage does not have any more.
   */
  unlock(): Promise<void>
  /** Releases the space without storing anything: it was deleted. */
  abandon(): void
}

export interface TabSpaceDeps {
  /** The server's normal address: see `parseServerUrl`. */
  readonly server: string
  readonly storage: ClientStorage
  readonly journal: PageJournal
  readonly runtime: Runtime
  readonly account: Account
  readonly directory: SpaceDirectory
  /** The id by which other tabs know this tab. */
  readonly tab: string
  readonly tell: Tell
  readonly onClosed: () => void
  /** Called when the space was locked or unlocked. */
  readonly onLockChanged: () => void
  /** Called when the space has become one of a user who is not signed in, perhaps in a tab that knows of it first. */
  readonly onUnusable: () => void
}

/** The report that is assumed until the tab that leads has made one. */
const unreported: SyncReport = {
  phase: 'connecting',
  role: null,
  identity: null,
  cursor: 0,
  head: 0,
  error: null,
  pushError: null,
}

/** Ignores a storage that cannot be read: the next change reads it again, and the next edit reports the failure. */
const ignoreFailure = (reading: Promise<unknown>): void => void reading.catch(() => {})

export function openTabSpace(
  found: StoredSpace,
  deps: TabSpaceDeps,
  options: { readonly isNew?: boolean } = {},
): TabSpace {
  const { storage, journal, runtime, account, tab, tell } = deps
  const spaceId = found.id
  const rootId: TreeId = treeIdSchema.parse(spaceId)
  const statusListeners = createListeners<SpaceStatus>()
  const replacedListeners = createListeners<TreeId>()
  let report = unreported
  let shownStatus: SpaceStatus | null = null
  let closed: Promise<void> | null = null
  let isDeleted = false
  let isOpened = false
  let released = new AbortController()
  /** The record and the root of the space when it was locked; null unless it is. */
  let locked: { readonly stored: StoredSpace; readonly root: Replica | undefined } | null = null
  /** Resolves when the edits made before the lock are stored, or were refused. */
  let locking: Promise<void> = Promise.resolve()
  let unlocking: Promise<void> | null = null

  const record = createSpaceRecord(found, { ...deps, onChange: changed })
  const presence = createSpacePresence(spaceId, tell)
  const counter = createPendingCounter(spaceId, { storage, runtime, onCounted: changed })
  const writer = createEditWriter({
    spaceId,
    runtime,
    storage,
    journal,
    async onStored(ops, counted) {
      tell({ type: 'edited', spaceId, ops })
      await counter.recount(counted)
    },
    onChange: changed,
  })
  const stored = (signal?: AbortSignal): Promise<void> =>
    untilStored({ writer, released: released.signal }, signal)
  const shown = createShownTrees({
    spaceId,
    tab,
    storage,
    journal,
    runtime,
    tell,
    writer,
    stored,
    cursor() {
      const { phase, pending, cursor, head } = status()
      return phase === 'live' && pending === 0 && cursor === head ? cursor : null
    },
    onReplaced: replaced,
    onBehind: changed,
  })
  const { trees, transients, checks, authors } = shown
  const refused = createRefusedEdits({
    spaceId,
    storage,
    trees,
    counter,
    tell,
    stored,
    onReplaced: replaced,
  })

  /** Worked out at each read, and the same object until it says something else: a framework compares it by identity. */
  function status(): SpaceStatus {
    const { counts } = counter
    const { unstored, error: storageError } = writer
    const { isBehind } = shown
    const next = statusOf({
      stored: record.stored,
      account,
      isLocked: locked !== null,
      report,
      counts,
      unstored,
      storageError,
      isBehind,
    })
    if (shownStatus === null || !sameStatus(shownStatus, next)) shownStatus = next
    return shownStatus
  }

  function changed(): void {
    const latest = status()
    statusListeners.emit(latest)
    presence.show(isLive(latest))
    checks.resumed()
    if (latest.phase === 'signed-out' && !released.signal.aborted) deps.onUnusable()
  }

  /** Up to date with the server, whether or not this tab has merged everything yet. */
  function isLive({ phase }: SpaceStatus): boolean {
    return phase === 'live' || (phase === 'catching-up' && report.phase === 'live')
  }

  function replaced(treeId: TreeId): void {
    if (closed === null && locked === null) replacedListeners.emit(treeId)
  }

  function showPresent(message: Extract<SpaceMessage, { type: 'present' }>): void {
    const hasNewcomer = presence.named(message.present)
    transients.keepConnections(new Set(message.present.map(({ connectionId }) => connectionId)))
    if (hasNewcomer) transients.repeat()
    presence.show(isLive(status()))
  }

  /** Another tab leads from now on. The one before may have stored operations without telling the tabs. */
  async function leaderChanged(): Promise<void> {
    if (locked !== null) return
    report = unreported
    presence.repeat()
    transients.leaderChanged()
    await counter.recount()
    await trees.reload()
  }

  async function putBack(): Promise<void> {
    const spacePut = record.putBack()
    // Everything is noted before anything is stored: the page may be reloaded in between.
    const treesPut = trees.ids().map((treeId) => {
      const ops = (trees.get(treeId)?.getAllOps() ?? []).map((op) => toTreeOperation(op, { spaceId, treeId }))
      return journal.around(spaceId, ops, () => spacePut.then(() => storage.appendLocal(spaceId, ops)))
    })
    await Promise.all(treesPut)
    // Stored after the operations. Reading the log again finds which of them the log lacks.
    if (record.stored.userId !== null) {
      await storage.putSyncState(spaceId, { ...unsynced, identity: record.identity })
    }
    tell({ type: 'distrusted', spaceId })
    tell({ type: 'spaces-changed' })
    await counter.recount()
  }

  /** Ends what the app holds of the space, for good or until it is unlocked. */
  function release(why: SyncError): void {
    // A locked space that is closed or deleted says so from then on.
    if (released.signal.aborted) released = new AbortController()
    released.abort(why)
    shown.suspend(why)
    counter.stop()
    presence.forget()
  }

  async function close(): Promise<void> {
    // What was edited so far, before anybody who waits for it is told of the closing.
    await writer.writeNow()
    release(new SyncError('unavailable', 'The space was closed'))
    try {
      // What was edited meanwhile. From here on, the trees take no edits.
      await writer.close()
    } finally {
      deps.onClosed()
    }
  }

  async function lock(): Promise<void> {
    if (locked === null) {
      locked = { stored: record.stored, root: trees.get(rootId) }
      release(new SyncError('unauthenticated', 'The space is locked: its account is not signed in here'))
      changed()
      // What the disk refuses now waits for the unlocking. It is in the journal too, if there is one.
      locking = writer.close().catch(() => {})
      if (isOpened) deps.onLockChanged()
      else closed ??= locking.finally(deps.onClosed)
    }
    await (closed ?? locking).catch(() => {})
  }

  async function unlock(): Promise<void> {
    if (locked === null || closed !== null) return
    await (unlocking ??= reopen(locked.stored))
  }

  /** `owned` is the record of the locked space: it says whose it is. */
  async function reopen(owned: StoredSpace): Promise<void> {
    const mayOpen = (): boolean => closed === null && account.mayUse(owned)
    try {
      await locking
      const found = await storage.getSpace(spaceId)
      // Forgotten, and perhaps fetched again for somebody else.
      if (closed === null && found?.userId !== owned.userId) return abandon()
      if (!mayOpen()) return
      counter.start()
      await counter.recount()
      const treeIds = await shown.resume()
      if (mayOpen()) reopened(treeIds)
      else shown.suspend(released.signal.reason)
    } finally {
      unlocking = null
    }
  }

  function reopened(treeIds: readonly TreeId[]): void {
    locked = null
    released = new AbortController()
    report = unreported
    writer.reopen()
    takeOver()
    treeIds.forEach(replaced)
    changed()
    deps.onLockChanged()
    presence.repeat()
  }

  /** Takes over the noted edits, unless the space is locked: then they wait in the journal. */
  function takeOver(): void {
    if (locked !== null) return
    const ops = journal.takeOver(spaceId)
    shown.merge(ops)
    writer.adopt(ops)
  }

  function abandon(): void {
    isDeleted = true
    closed ??= Promise.resolve()
    writer.abandon()
    release(new SyncError('unavailable', 'The space was deleted'))
    deps.onClosed()
    changed()
  }

  const rootTree = options.isNew === true ? Promise.resolve(trees.create(rootId)) : trees.open(rootId)

  async function open(): Promise<Space> {
    const root = await rootTree
    // A page crashed after it had stored the record of a new space. No server has the space, so nobody else makes its root.
    const isEmpty = root.root === undefined && root.getAllOps().length === 0
    if (isEmpty && isLocalUri(record.stored.uri)) root.createRoot()
    if (options.isNew === true) await stored()
    await counter.recount()
    released.signal.throwIfAborted()
    isOpened = true
    return createSpace({
      spaceId,
      root: () => (locked === null ? trees.get(rootId) : locked.root) ?? root,
      account,
      tell,
      storage,
      record,
      presence,
      counter,
      writer,
      stored,
      trees,
      authors,
      transients,
      refused,
      statusListeners,
      replacedListeners,
      report: () => report,
      status,
      released: () => released.signal,
      isDeleted: () => isDeleted,
      close: () => (closed ??= close()),
    })
  }

  return {
    space: open(),
    get record() {
      return record.stored
    },
    get status() {
      return status()
    },
    get isLocked() {
      return locked !== null
    },
    get closing() {
      return closed
    },
    hear(message, isOwn) {
      switch (message.type) {
        case 'leading':
          return ignoreFailure(leaderChanged())
        case 'left':
          return transients.tabLeft(message.tab)
        case 'edited':
          if (isOwn) return
          shown.merge(message.ops)
          return void counter.recount()
        case 'attested':
          return authors.learn(message.runs)
        case 'received':
          // The leading tab rests between slow merges before it stores more. Other tabs set their own pace.
          return isOwn ? shown.merge(message.ops) : shown.follow(message.ops)
        case 'settled':
          return void counter.recount()
        case 'discarded':
          return isOwn ? undefined : ignoreFailure(refused.discarded(message.treeIds))
        case 'reported':
          report = message.report
          if (report.identity !== null) record.identified(report.identity)
          return changed()
        case 'judged':
          return message.tab === tab ? checks.compared(message.verdict) : undefined
        case 'rebuilt':
          return ignoreFailure(checks.rebuilt())
        case 'present':
          return showPresent(message)
        case 'transients-made':
          return isOwn ? undefined : transients.heardFromTab(message.tab, message.changes)
        case 'transients-heard':
          return transients.heardFromConnection(message.connectionId, message.changes)
        case 'spaces-changed':
          return ignoreFailure(record.reread())
        case 'space-deleted':
          return isOwn ? undefined : abandon()
        default:
          return message satisfies never
      }
    },
    takeOver,
    putBack,
    stored: () => stored(),
    writeNow: () => void writer.writeNow(),
    reload: () => trees.reload(),
    close: () => (closed ??= close()),
    lock,
    unlock,
    abandon,
  }
}
