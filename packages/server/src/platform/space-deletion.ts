import type { SpaceId } from '@t69/protocol'

import type { Logger } from '../ports/logger.ts'
import type { SpaceRecords } from './space-records.ts'

export interface SpaceDeletion {
  /** Deletes a space. Nobody can enter it once this returns; a file that cannot be removed now is removed later. */
  delete(spaceId: SpaceId, now: number): void
  /** Does the rest of a deletion, for a space whose records are removed already. */
  clear(spaceId: SpaceId): void
  /** Finishes the deletion of a space if it was interrupted. Throws when the file cannot be removed. */
  finish(spaceId: SpaceId): void
  /** Finishes every interrupted deletion, at the server's start. */
  finishAll(): void
}

/**
 * Deletes in an order that a crash cannot harm: first the row, with a note of the file, then the sockets, then the
 * file, then the note. While the note is there the id cannot be registered again, or its new owner would read the
 * old content.
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
        'the file of a deleted space could not be removed: the next start removes it',
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
