import { SyncError, treeIdSchema, type TreeId } from '@t69/protocol'
import { toTreeOperation } from '@t69/replica'

import type { Account, SpaceDirectory } from '../account/index.ts'
import type { Space, SpaceStatus } from '../api.ts'
import type { SyncReport } from '../engine/index.ts'
import { createListeners, type Runtime } from '../runtime/index.ts'
import { unsynced, type ClientStorage, type PageJournal, type StoredSpace } from '../storage/index.ts'
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
  /** Settles when the space is closed; null until somebody closes it. */
  readonly closing: Promise<void> | null
  /** `isOwn`: the message was told in this tab. */
  hear(message: SpaceMessage, isOwn: boolean): void
  /** Takes over the edits that an earlier page or a closed tab noted and could not store. */
  takeOver(): void
  /** The storage was emptied: writes everything that this tab has into it. Syncing starts over from there. */
  putBack(): Promise<void>
  /** Starts to write the waiting edits: the page may be closed at any moment. */
  writeNow(): void
  /** Reads the stored operations again: the page was frozen, and has missed what other tabs told. */
  reload(): Promise<void>
  /** As `Space.close`, also while the space is still being opened, which ends with `unavailable` then. */
  close(): Promise<void>
  /** Releases the space without storing anything: it was deleted. */
  abandon(): void
}

export interface TabSpaceDeps {
  readonly storage: ClientStorage
  readonly journal: PageJournal
  readonly runtime: Runtime
  readonly account: Account
  readonly directory: SpaceDirectory
  /** The id by which other tabs know this tab. */
  readonly tab: string
  readonly tell: Tell
  readonly onClosed: () => void
}

/** The report that is assumed until the tab that leads has made one. */
const unreported: SyncReport = {
  phase: 'connecting',
  role: null,
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
  const released = new AbortController()

  const record = createSpaceRecord(found, { ...deps, onChange: changed })
  const presence = createSpacePresence(spaceId, tell)
  const counter = createPendingCounter(spaceId, { storage, runtime, onCounted: changed })
  const writer = createEditWriter({
    spaceId,
    runtime,
    storage,
    journal,
    async onStored(ops) {
      tell({ type: 'edited', spaceId, ops })
      await counter.recount()
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
  })
  const { trees, transients, checks } = shown
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
    const next = statusOf({ stored: record.stored, account, report, counts, unstored, storageError })
    if (shownStatus === null || !sameStatus(shownStatus, next)) shownStatus = next
    return shownStatus
  }

  function changed(): void {
    const latest = status()
    statusListeners.emit(latest)
    presence.show(latest.phase === 'live')
    checks.resumed()
  }

  function replaced(treeId: TreeId): void {
    if (closed === null) replacedListeners.emit(treeId)
  }

  function showPresent(message: Extract<SpaceMessage, { type: 'present' }>): void {
    const hasNewcomer = presence.named(message.present)
    transients.keepConnections(new Set(message.present.map(({ connectionId }) => connectionId)))
    if (hasNewcomer) transients.repeat()
    presence.show(status().phase === 'live')
  }

  /** Another tab leads from now on. The one before may have stored operations without telling the tabs. */
  async function leaderChanged(): Promise<void> {
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
    if (record.stored.userId !== null) await storage.putSyncState(spaceId, unsynced)
    tell({ type: 'distrusted', spaceId })
    tell({ type: 'spaces-changed' })
    await counter.recount()
  }

  function release(): void {
    released.abort(new SyncError('unavailable', isDeleted ? 'The space was deleted' : 'The space was closed'))
    shown.stop()
    counter.stop()
    presence.forget()
    deps.onClosed()
  }

  async function close(): Promise<void> {
    try {
      await writer.close()
    } finally {
      release()
    }
  }

  function abandon(): void {
    isDeleted = true
    closed ??= Promise.resolve()
    release()
    changed()
  }

  const rootTree = options.isNew === true ? Promise.resolve(trees.create(rootId)) : trees.open(rootId)

  async function open(): Promise<Space> {
    const root = await rootTree
    if (options.isNew === true) await stored()
    await counter.recount()
    released.signal.throwIfAborted()
    return createSpace({
      spaceId,
      root: () => trees.get(rootId) ?? root,
      account,
      storage,
      record,
      presence,
      counter,
      writer,
      stored,
      trees,
      refused,
      statusListeners,
      replacedListeners,
      report: () => report,
      status,
      released: released.signal,
      isDeleted: () => isDeleted,
      close: () => (closed ??= close()),
    })
  }

  return {
    space: open(),
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
        case 'received':
          // The leading tab rests between slow merges before it stores more. Other tabs set their own pace.
          return isOwn ? shown.merge(message.ops) : shown.follow(message.ops)
        case 'settled':
          return void counter.recount()
        case 'discarded':
          return isOwn ? undefined : ignoreFailure(refused.discarded(message.treeIds))
        case 'reported':
          report = message.report
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
    takeOver() {
      const ops = journal.takeOver(spaceId)
      shown.merge(ops)
      writer.adopt(ops)
    },
    putBack,
    writeNow: () => writer.writeNow(),
    reload: () => trees.reload(),
    close: () => (closed ??= close()),
    abandon,
  }
}
