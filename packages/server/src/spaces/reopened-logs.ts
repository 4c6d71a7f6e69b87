import { type SpaceId, SyncError } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import { isOutOfFiles } from '../logs/is-out-of-files.ts'
import type { Logger } from '../ports/logger.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { LogState, OpenedLog, Storage, StorageCalls } from '../storage/storage.ts'

/** How many closed spaces' log states are remembered. */
const maxRemembered = 10_000

type Opening = Omit<StorageCalls['open']['given'], 'left'>

export interface ReopenedLogs {
  /** Opens the space's log, as a storage does. Rejects with `storage_failed`, and `not_found` for a log that was deleted. */
  open(given: Opening): Promise<OpenedLog>
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
  storage,
  logger,
  metrics,
  replaced,
  closeOldest,
  foundDeleted,
}: {
  readonly storage: Storage
  readonly logger: Logger
  readonly metrics: Metrics
  /** The log is not as its members know it: they have to join again before they go on. */
  readonly replaced: (spaceId: SpaceId) => void
  /** Closes the space that was used longest ago, for its file handles. Resolves with how many were open. */
  readonly closeOldest: () => Promise<number>
  /** The log was deleted, which the accounts have forgotten. */
  readonly foundDeleted: (spaceId: SpaceId) => void
}): ReopenedLogs {
  const leftAt = new LRUCache<SpaceId, LogState>({ max: maxRemembered })
  let hasWarned = false

  async function openFile(opening: Opening): Promise<OpenedLog | 'deleted'> {
    const given = { ...opening, left: leftAt.get(opening.spaceId) }
    try {
      return await storage.open(given)
    } catch (error) {
      if (!isOutOfFiles(error)) throw error
      const openSpaces = await closeOldest()
      if (openSpaces === 0) throw error
      if (!hasWarned) {
        logger.warn({ openSpaces }, 'no more files can be opened: allow more, or fewer open spaces')
      }
      hasWarned = true
      return storage.open(given)
    }
  }

  return {
    open: async (given) => {
      const { spaceId } = given
      const opened = await openFile(given)
      if (opened === 'deleted') {
        foundDeleted(spaceId)
        throw new SyncError('not_found', 'the space was deleted')
      }
      const { standing, state } = opened
      if (standing === 'same') return opened
      leftAt.delete(spaceId)
      if (standing === 'replaced') {
        metrics.historyLost('server')
        const { logId } = state
        logger.warn({ spaceId, logId }, 'the log of a space was replaced while the server ran')
      }
      // Also of a log that is ahead: it has a commit that was said to have failed, which nobody was sent.
      replaced(spaceId)
      return opened
    },
    left: (spaceId, state) => void leftAt.set(spaceId, state),
    forget: (spaceId) => void leftAt.delete(spaceId),
  }
}
