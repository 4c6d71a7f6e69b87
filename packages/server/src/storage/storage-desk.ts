import { type Epoch, type SpaceId, SyncError } from '@t69/protocol'

import type { OpLog, OpLogs } from '../logs/op-log.ts'
import { isDamage, StorageFailure } from '../sqlite/storage-failure.ts'
import { type CachedView, createCachedView } from './cached-view.ts'
import { commitGroup } from './commit-group.ts'
import { LogGoneError } from './log-gone-error.ts'
import { stateOf } from './log-state.ts'
import { readPage } from './read-page.ts'
import { finish, type Steps } from './steps.ts'
import type { JoinedLog, LogState, OpenedLog, StorageCall, StorageCalls } from './storage.ts'

type Synchronous = {
  readonly [Name in StorageCall]: (given: StorageCalls[Name]['given']) => StorageCalls[Name]['answer']
}

/** Does the work of a storage, on the thread that it runs on. Throws what a storage rejects with. */
export interface StorageDesk {
  /** Answers the calls of a storage at once. */
  readonly calls: Synchronous
  /** Commits in steps. Calls about other spaces may come between them, and none about this one. */
  commit(group: StorageCalls['commit']['given']): Steps<StorageCalls['commit']['answer']>
  /** The same for letting go of a log. */
  release(given: StorageCalls['release']['given']): Steps<StorageCalls['release']['answer']>
  /** Those of the spaces of which there is a log, or the note that it was deleted. */
  existing(spaceIds: readonly SpaceId[]): SpaceId[]
  /** The open log of a space. Throws `LogGoneError`. */
  logOf(spaceId: SpaceId): OpLog
  /** Whether the space's log is open. */
  isOpen(spaceId: SpaceId): boolean
  /**
   * Settles operations of one log that has some to settle: some thousands, so that calls need not wait long. Returns whether
   * there may be more to do.
   */
  settleSome(): boolean
  /** The same of one log, if there is one of which too much is not settled to wait for a quiet moment. */
  settleOverdue(): void
  /** Closes every log, also if one fails to close. */
  closeAll(): void
}

/** How often some operations of a log settle when it is let go of. Bounds how long others wait: about half a second. */
const lastTurns = 16

interface Open {
  readonly log: OpLog
  readonly view: CachedView
  /** The content of the log has turned out to be wrong: it has to be opened again. */
  damage?: SyncError
}

/** The logs that one thread has open. `epoch` names the process that commits to them. */
export function createStorageDesk(opLogs: OpLogs, epoch: Epoch): StorageDesk {
  const open = new Map<SpaceId, Open>()
  /** Spaces whose logs may have operations to settle. */
  const unsettled = new Set<SpaceId>()
  /** Those of them that have too many. */
  const overdue = new Set<SpaceId>()

  function find(spaceId: SpaceId): Open {
    const found = open.get(spaceId)
    if (found === undefined) throw new LogGoneError()
    return found
  }

  /** The log, if it is still what is at its path. */
  function checked(spaceId: SpaceId): Open {
    const found = find(spaceId)
    if (found.damage !== undefined) throw new LogGoneError(found.damage.cause ?? found.damage)
    try {
      found.log.check()
    } catch (error) {
      throw error instanceof SyncError ? new LogGoneError(error.cause ?? error) : error
    }
    return found
  }

  /** The log, to be written to. One that was opened to be read is opened again, and has to be the same. */
  function writable(spaceId: SpaceId): Open {
    const found = checked(spaceId)
    if (!found.log.isReadOnly) return found
    const before = stateOf(found.log)
    open.delete(spaceId)
    found.log.close()
    const log = opLogs.open(spaceId, epoch)
    const { logId, head, epoch: last } = stateOf(log)
    if (logId === before.logId && head === before.head && last === before.epoch) return keep(spaceId, log)
    log.close()
    throw new LogGoneError(new Error('the log was replaced since it was read'))
  }

  function keep(spaceId: SpaceId, log: OpLog): Open {
    const kept = { log, view: createCachedView(log) }
    open.set(spaceId, kept)
    return kept
  }

  /** Whoever uses the log next opens it again, which examines the file: what waits is not put into a wrong log. */
  function noteDamage(found: Open, error: unknown): void {
    if (!(error instanceof SyncError)) return
    if (isDamage(error.cause instanceof StorageFailure ? error.cause.cause : undefined)) found.damage = error
  }

  /** Uses the open log of a space. */
  function using<Result>(spaceId: SpaceId, use: (found: Open) => Result): Result {
    const found = checked(spaceId)
    try {
      return use(found)
    } catch (error) {
      // It may have been opened to be written to meanwhile.
      noteDamage(open.get(spaceId) ?? found, error)
      throw error
    }
  }

  function close(spaceId: SpaceId): void {
    const found = open.get(spaceId)
    open.delete(spaceId)
    unsettled.delete(spaceId)
    overdue.delete(spaceId)
    found?.log.close()
  }

  function* commit(group: StorageCalls['commit']['given']): Steps<StorageCalls['commit']['answer']> {
    const found = writable(group.spaceId)
    try {
      const committed = yield* commitGroup(found.log, found.view, group)
      if (found.log.isUnsettled) unsettled.add(group.spaceId)
      if (found.log.isOverdue) overdue.add(group.spaceId)
      return committed
    } catch (error) {
      noteDamage(found, error)
      throw error
    }
  }

  /** What fails is left until the log is used again. */
  function settle(spaceId: SpaceId): void {
    let found = open.get(spaceId)
    try {
      if (found !== undefined) found = writable(spaceId)
      found?.log.settle()
      if (found?.log.isUnsettled !== true) unsettled.delete(spaceId)
      if (found?.log.isOverdue !== true) overdue.delete(spaceId)
    } catch (error) {
      unsettled.delete(spaceId)
      overdue.delete(spaceId)
      if (found === undefined || !(error instanceof SyncError)) throw error
      noteDamage(found, error)
    }
  }

  function* release({ spaceId }: StorageCalls['release']['given']): Steps<undefined> {
    // Of what is left by a server that stops, or that had no quiet moment.
    for (let turn = 0; turn < lastTurns && unsettled.has(spaceId); turn++) {
      settle(spaceId)
      yield
    }
    close(spaceId)
    return undefined
  }

  const calls: Synchronous = {
    open: ({ spaceId, left, join }) => {
      close(spaceId)
      if (opLogs.wasDeleted(spaceId)) return 'deleted'
      let { log } = keep(spaceId, opLogs.open(spaceId, epoch, { toRead: true }))
      try {
        const standing = standingOf(log, left)
        if (standing === 'replaced' && log.logId === left?.logId) {
          log = writable(spaceId).log
          log.renewLogId()
        }
        if (log.isUnsettled) unsettled.add(spaceId)
        const joined = join && answerAtOnce({ ...join, spaceId })
        return { state: stateOf(log), access: log.access, standing, ...(joined && { joined }) }
      } catch (error) {
        close(spaceId)
        throw error
      }
    },
    join: (given) =>
      using(given.spaceId, (found) => {
        const { logId, epoch: seen, cursor = 0 } = given.position
        const isHeld = logId !== undefined && found.log.holds({ logId, epoch: seen, cursor })
        const isLost = !isHeld && logId === found.log.logId
        if (isLost && !given.mayRenew) return { state: stateOf(found.log), isHeld, renewal: 'due' }
        const joined = isLost ? writable(given.spaceId) : found
        if (isLost) joined.log.renewLogId()
        const page = pageOfJoin(joined, isHeld ? cursor : 0, given)
        return { state: stateOf(joined.log), isHeld, renewal: isLost ? 'renewed' : 'none', page }
      }),
    commit: (group) => finish(commit(group)),
    page: (given) => using(given.spaceId, ({ log }) => readPage(log, given)),
    countTree: ({ spaceId, treeId, atMost }) => using(spaceId, ({ log }) => log.countTree(treeId, atMost)),
    keepAccess: ({ spaceId, access }) =>
      using(spaceId, () => {
        writable(spaceId).log.keepAccess(access)
        return undefined
      }),
    release: (given) => finish(release(given)),
    remove: ({ spaceId }) => {
      close(spaceId)
      opLogs.delete(spaceId)
      return undefined
    },
  }

  function answerAtOnce(given: Omit<StorageCalls['join']['given'], 'mayRenew'>): JoinedLog | undefined {
    try {
      const joined = calls.join({ ...given, mayRenew: false })
      return joined.renewal === 'none' ? joined : undefined
    } catch (error) {
      if (error instanceof SyncError) return undefined
      throw error
    }
  }

  /** Whoever joins gets in without the page as well: what keeps it from being read is said when it is asked for by itself. */
  function pageOfJoin(found: Open, after: number, { spaceId, page }: StorageCalls['join']['given']) {
    if (page === undefined || after === found.log.head) return undefined
    try {
      return readPage(found.log, { ...page, spaceId, after })
    } catch (error) {
      noteDamage(found, error)
      if (error instanceof SyncError) return undefined
      throw error
    }
  }

  return {
    calls,
    commit,
    release,
    existing: (spaceIds) =>
      spaceIds.filter((id) => open.has(id) || opLogs.wasDeleted(id) || opLogs.bytesOf(id) > 0),
    logOf: (spaceId) => find(spaceId).log,
    settleSome: () => {
      const [spaceId] = unsettled
      if (spaceId !== undefined) settle(spaceId)
      return unsettled.size > 0
    },
    isOpen: (spaceId) => open.has(spaceId),
    settleOverdue: () => {
      const [spaceId] = overdue
      if (spaceId !== undefined) settle(spaceId)
    },
    closeAll: () => {
      const failures: unknown[] = []
      for (const spaceId of open.keys()) {
        try {
          close(spaceId)
        } catch (error) {
          failures.push(error)
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, 'logs failed to close')
    },
  }
}

/** Compares a log that was just opened with where it was left. */
function standingOf(log: OpLog, left: LogState | undefined): OpenedLog['standing'] {
  if (left === undefined) return 'same'
  const { logId, epoch, head: cursor } = left
  if (!log.holds({ logId, epoch, cursor })) return 'replaced'
  return log.head > cursor ? 'ahead' : 'same'
}
