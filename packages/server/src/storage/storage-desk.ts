import { type Epoch, type SpaceId, SyncError } from '@t69/protocol'

import type { OpLog, OpLogs } from '../logs/op-log.ts'
import { isDamage, StorageFailure } from '../sqlite/storage-failure.ts'
import { type CachedView, createCachedView } from './cached-view.ts'
import { commitGroup } from './commit-group.ts'
import { LogGoneError } from './log-gone-error.ts'
import { stateOf } from './log-state.ts'
import { readPage } from './read-page.ts'
import { finish, type Steps } from './steps.ts'
import type { JoinedLog, JoinPosition, LogState, OpenedLog, StorageCall, StorageCalls } from './storage.ts'

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
  /**
   * Settles operations of one log that has some to settle: some thousands, so that calls need not wait long. Returns whether
   * there may be more to do.
   */
  settleSome(): boolean
  /** Closes every log, also if one fails to close. */
  closeAll(): void
}

/** How often some operations of a log settle when it is let go of. Bounds how long others wait: about half a second. */
const lastTurns = 16

interface Open {
  readonly log: OpLog
  readonly view: CachedView
  /** Settling found that the content of the log is wrong: it has to be opened again. */
  damage?: SyncError
}

/** The logs that one thread has open. `epoch` names the process that commits to them. */
export function createStorageDesk(opLogs: OpLogs, epoch: Epoch): StorageDesk {
  const open = new Map<SpaceId, Open>()
  /** Spaces whose logs may have operations to settle. */
  const unsettled = new Set<SpaceId>()

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

  function close(spaceId: SpaceId): void {
    const found = open.get(spaceId)
    open.delete(spaceId)
    unsettled.delete(spaceId)
    found?.log.close()
  }

  function* commit(group: StorageCalls['commit']['given']): Steps<StorageCalls['commit']['answer']> {
    const { log, view } = checked(group.spaceId)
    const committed = yield* commitGroup(log, view, group)
    if (log.isUnsettled) unsettled.add(group.spaceId)
    return committed
  }

  /** What fails is left until the log is used again. */
  function settle(spaceId: SpaceId): void {
    const found = open.get(spaceId)
    try {
      found?.log.settle()
      if (found?.log.isUnsettled !== true) unsettled.delete(spaceId)
    } catch (error) {
      unsettled.delete(spaceId)
      if (found === undefined || !(error instanceof SyncError)) throw error
      if (isDamage(error.cause instanceof StorageFailure ? error.cause.cause : undefined))
        found.damage = error
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
    open: ({ spaceId, left }) => {
      close(spaceId)
      if (opLogs.wasDeleted(spaceId)) return 'deleted'
      const log = opLogs.open(spaceId, epoch)
      try {
        const standing = standingOf(log, left)
        if (standing === 'replaced' && log.logId === left?.logId) log.renewLogId()
        open.set(spaceId, { log, view: createCachedView(log) })
        if (log.isUnsettled) unsettled.add(spaceId)
        return { state: stateOf(log), access: log.access, standing }
      } catch (error) {
        open.delete(spaceId)
        log.close()
        throw error
      }
    },
    join: ({ spaceId, position, mayRenew }) => join(checked(spaceId).log, position, mayRenew),
    commit: (group) => finish(commit(group)),
    page: (given) => readPage(checked(given.spaceId).log, given),
    countTree: ({ spaceId, treeId, atMost }) => checked(spaceId).log.countTree(treeId, atMost),
    keepAccess: ({ spaceId, access }) => {
      checked(spaceId).log.keepAccess(access)
      return undefined
    },
    release: (given) => finish(release(given)),
    remove: ({ spaceId }) => {
      close(spaceId)
      opLogs.delete(spaceId)
      return undefined
    },
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

function join(log: OpLog, { logId, epoch, cursor = 0 }: JoinPosition, mayRenew: boolean): JoinedLog {
  const isHeld = logId !== undefined && log.holds({ logId, epoch, cursor })
  if (isHeld || logId !== log.logId) return { state: stateOf(log), isHeld, renewal: 'none' }
  if (!mayRenew) return { state: stateOf(log), isHeld, renewal: 'due' }
  log.renewLogId()
  return { state: stateOf(log), isHeld, renewal: 'renewed' }
}
