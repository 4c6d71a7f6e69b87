import { statSync } from 'node:fs'

import { epochSchema, randomHexId, type SpaceId } from '@t69/protocol'

import { openDatabase } from '../sqlite/database-files.ts'
import { openCopy } from '../sqlite/open-copy.ts'
import { onStorage } from './on-storage.ts'
import type { OpLog } from './op-log.ts'
import { createOpenSegments } from './open-segments.ts'
import { pathOfSpace } from './space-path.ts'
import { openSqliteOpLog } from './sqlite-op-log.ts'

/**
 * Opens a space's log for reading only, while another thread may have it open. Makes, migrates and mends nothing.
 * Calls `damaged` when the content of the file is wrong. Throws `storage_failed`.
 */
export function openReadOnlyLog(dataDir: string, spaceId: SpaceId, damaged: () => void): OpLog {
  const path = pathOfSpace(dataDir, spaceId)
  const open = (): OpLog => {
    // Where the folder is gone, SQLite's own error would look like a bug.
    statSync(path)
    const { db, files } = openCopy(path) ?? openDatabase(path, () => {}, { readonly: true })
    try {
      // Only a writer has an epoch.
      const epoch = epochSchema.parse(randomHexId())
      // One look at all of it, whatever is committed or settles meanwhile.
      db.exec('begin')
      const log = openSqliteOpLog(db, {
        spaceId,
        path,
        epoch,
        files,
        now: Date.now,
        damaged,
        displaced: () => {},
        segments: createOpenSegments().of(),
      })
      db.exec('commit')
      return log
    } catch (error) {
      db.close()
      throw error
    }
  }
  return onStorage(path, open, damaged)
}
