import type { Epoch, SpaceId } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import { isOutOfFiles } from '../logs/is-out-of-files.ts'
import type { OpLog, OpLogs } from '../logs/op-log.ts'
import type { Logger } from '../ports/logger.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { LogState } from './space.ts'

/** How many closed spaces' log states are remembered. */
const maxRemembered = 10_000

export interface ReopenedLogs {
  /** Opens the space's log. Throws `storage_failed`. */
  open(spaceId: SpaceId): OpLog
  /** Remembers where a log stood when it was closed. */
  left(spaceId: SpaceId, state: LogState): void
  /** The space was deleted. */
  forget(spaceId: SpaceId): void
}

/**
 * Opens logs, and tells whether each is still the one that was closed: a file can be replaced while nobody has it
 * open, or be set aside at its opening.
 */
export function createReopenedLogs({
  opLogs,
  epoch,
  logger,
  metrics,
  replaced,
  closeOldest,
}: {
  readonly opLogs: OpLogs
  readonly epoch: Epoch
  readonly logger: Logger
  readonly metrics: Metrics
  /** The log is not as its members know it: they have to join again before they go on. */
  readonly replaced: (spaceId: SpaceId) => void
  /** Closes the space that was used longest ago, for its file handles. Returns how many were open. */
  readonly closeOldest: () => number
}): ReopenedLogs {
  const leftAt = new LRUCache<SpaceId, LogState>({ max: maxRemembered })
  let hasWarned = false

  function openFile(spaceId: SpaceId): OpLog {
    try {
      return opLogs.open(spaceId, epoch)
    } catch (error) {
      if (!isOutOfFiles(error)) throw error
      const openSpaces = closeOldest()
      if (openSpaces === 0) throw error
      if (!hasWarned) {
        logger.warn({ openSpaces }, 'no more files can be opened: allow more, or fewer open spaces')
      }
      hasWarned = true
      return opLogs.open(spaceId, epoch)
    }
  }

  function compareWithLeft(spaceId: SpaceId, log: OpLog): void {
    const left = leftAt.get(spaceId)
    if (left === undefined) return
    const { logId, epoch: leftIn, head: cursor } = left
    if (log.holds({ logId, epoch: leftIn, cursor })) {
      // Committed, though the commit was said to have failed: nobody was sent it.
      if (log.head > cursor) replaced(spaceId)
      return
    }
    if (log.logId === logId) log.renewLogId()
    metrics.historyLost()
    logger.warn({ spaceId, logId: log.logId }, 'the log of a space was replaced while the server ran')
    leftAt.delete(spaceId)
    replaced(spaceId)
  }

  return {
    open: (spaceId) => {
      const log = openFile(spaceId)
      try {
        compareWithLeft(spaceId, log)
        return log
      } catch (error) {
        try {
          log.close()
        } catch (failure) {
          logger.error({ err: failure, spaceId }, 'a space failed to close')
        }
        throw error
      }
    },
    left: (spaceId, state) => void leftAt.set(spaceId, state),
    forget: (spaceId) => void leftAt.delete(spaceId),
  }
}
