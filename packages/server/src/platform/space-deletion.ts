import type { SpaceId } from '@t69/protocol'

import type { Logger } from '../ports/logger.ts'
import type { SpaceRecords } from './space-records.ts'

export interface SpaceDeletion {
  /** Nobody can enter any more once this returns; a file that cannot be removed now is removed later. */
  delete(spaceId: SpaceId, now: number): void
  /** The rest of it, for a space whose records were removed together with something else. */
  clear(spaceId: SpaceId): void
  /** Removes what is left of a space whose deletion was cut short. Throws when it cannot be removed. */
  finish(spaceId: SpaceId): void
  /** Finishes every deletion that was cut short. For the start. */
  finishAll(): void
}

/**
 * Deletes in an order that a crash cannot harm: first the row (with a note of the file), then the sockets,
 * then the file, then the note. An id is not given out again while its note is there: whoever registered
 * it would read the old content.
 */
export function createSpaceDeletion(deps: {
  readonly records: SpaceRecords
  readonly closeSockets: (spaceId: SpaceId) => void
  readonly removeFile: (spaceId: SpaceId) => void
  readonly logger: Logger
}): SpaceDeletion {
  const { records, closeSockets, removeFile, logger } = deps

  function finish(spaceId: SpaceId): void {
    if (!records.isPendingDeletion(spaceId)) return
    removeFile(spaceId)
    records.fileRemoved(spaceId)
  }

  function tryToFinish(spaceId: SpaceId): void {
    try {
      finish(spaceId)
    } catch (error) {
      logger.error(
        { err: error, spaceId },
        'a deleted space left its file behind: it is removed at the next start',
      )
    }
  }

  function clear(spaceId: SpaceId): void {
    closeSockets(spaceId)
    tryToFinish(spaceId)
  }

  return {
    finish,
    clear,
    delete(spaceId, now) {
      records.remove(spaceId, now)
      clear(spaceId)
    },
    finishAll() {
      for (const spaceId of records.pendingDeletions()) tryToFinish(spaceId)
    },
  }
}
