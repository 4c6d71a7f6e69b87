import type { SpaceId } from '@t69/protocol'

import type { Logger } from '../ports/logger.ts'
import type { SpaceRecords } from './space-records.ts'

export interface SpaceDeletion {
  /**
   * Deletes a space. Nobody can enter it once this returns; its file is removed when it resolves. A file that cannot be
   * removed now is removed later. Rejects, and deletes nothing, while the accounts cannot be written.
   */
  delete(spaceId: SpaceId, now: number): Promise<void>
  /** Does the rest of a deletion, for a space whose records are removed already. Never rejects, like `finishAll`. */
  clear(spaceId: SpaceId): Promise<void>
  /** Finishes every interrupted deletion, at the server's start. */
  finishAll(): Promise<void>
}

/**
 * Deletes in an order that a crash cannot harm: first the row, with a note of the file, then the sockets, then the
 * file. The note stays for ever: the id cannot be registered again.
 */
export function createSpaceDeletion(deps: {
  readonly records: SpaceRecords
  readonly closeSockets: (spaceId: SpaceId) => void
  readonly removeFile: (spaceId: SpaceId) => Promise<void>
  readonly logger: Logger
}): SpaceDeletion {
  const { records, closeSockets, removeFile, logger } = deps

  async function tryToFinish(spaceId: SpaceId): Promise<void> {
    try {
      await removeFile(spaceId)
      records.fileRemoved(spaceId)
    } catch (error) {
      logger.error(
        { err: error, spaceId },
        'the file of a deleted space could not be removed: the next start removes it',
      )
    }
  }

  async function clear(spaceId: SpaceId): Promise<void> {
    closeSockets(spaceId)
    await tryToFinish(spaceId)
  }

  return {
    clear,
    async delete(spaceId, now) {
      records.remove(spaceId, now)
      await clear(spaceId)
    },
    async finishAll() {
      for (const spaceId of records.pendingDeletions()) await tryToFinish(spaceId)
    },
  }
}
