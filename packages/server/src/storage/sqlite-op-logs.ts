import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { SpaceId } from '@t69/protocol'
import Database from 'better-sqlite3'

import { migrate } from './migrate.ts'
import type { OpLogs } from './op-log.ts'
import { spaceMigrations } from './space-schema.ts'
import { openSqliteOpLog } from './sqlite-op-log.ts'
import { onStorage } from './storage-failure.ts'

export interface SqliteOpLogsOptions {
  /** Each space is `<dataDir>/<first two characters>/<space id>.db`. */
  readonly dataDir: string
  /** `full` (the default): a commit survives power loss. `normal`: it survives the process. */
  readonly synchronous?: 'full' | 'normal'
  /** Unix milliseconds, for `created_at`. */
  readonly now?: () => number
}

/** One SQLite file a space. */
export function createSqliteOpLogs({
  dataDir,
  synchronous = 'full',
  now = Date.now,
}: SqliteOpLogsOptions): OpLogs {
  const pathOf = (spaceId: SpaceId) => join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
  return {
    open: (spaceId, epoch) => {
      const path = pathOf(spaceId)
      return onStorage(path, () => {
        makeFolder(dirname(path))
        const db = new Database(path, { timeout: lockTimeoutMs })
        try {
          configure(db, synchronous)
          migrate(db, spaceMigrations)
          return openSqliteOpLog(db, { spaceId, epoch, now })
        } catch (error) {
          db.close()
          throw error
        }
      })
    },
    exists: (spaceId) => existsSync(pathOf(spaceId)),
    delete: (spaceId) => {
      const path = pathOf(spaceId)
      onStorage(path, () => {
        // The database last: a log left over from it would be replayed into a new file of its name.
        for (const suffix of ['-wal', '-shm', '']) rmSync(path + suffix, { force: true })
      })
    },
  }
}

/** How long a write waits for an operator's own transaction on the file; everybody waits with it. */
const lockTimeoutMs = 1_000

function configure(db: Database.Database, synchronous: 'full' | 'normal'): void {
  db.pragma('journal_mode = wal')
  db.pragma(`synchronous = ${synchronous}`)
  db.pragma('foreign_keys = on')
  // KiB, at most, in each open file. Catching up reads forward once and lookups touch the index's end.
  db.pragma('cache_size = -1024')
  // A large import grows the write-ahead log; it is cut back to 4 MiB at the next checkpoint.
  db.pragma(`journal_size_limit = ${4 * 1024 * 1024}`)
}

function makeFolder(path: string): void {
  const made = mkdirSync(path, { recursive: true })
  if (made === undefined) return
  // SQLite syncs the folder that a file is made in, not the one that the folder is made in.
  const parent = openSync(dirname(made), 'r')
  try {
    fsyncSync(parent)
  } finally {
    closeSync(parent)
  }
}
