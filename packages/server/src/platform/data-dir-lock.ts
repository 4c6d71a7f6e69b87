import { join } from 'node:path'

import Sqlite from 'better-sqlite3'

/** Another server is using the data directory. */
export class DataDirLockedError extends Error {
  override readonly name = 'DataDirLockedError'

  constructor(dataDir: string) {
    super(`another server is using ${dataDir}`)
  }
}

/**
 * Keeps a second server out of the directory: two would number the same log. The lock is SQLite's own
 * exclusive lock on an empty file, which the operating system releases however the process ends. Waits
 * up to `waitMs` for a predecessor that is shutting down. The returned function releases the lock. Throws
 * `DataDirLockedError`.
 */
export function lockDataDir(dataDir: string, waitMs = 2000): () => void {
  const db = new Sqlite(join(dataDir, 'server.lock'), { timeout: waitMs })
  try {
    db.exec('begin exclusive')
  } catch (error) {
    db.close()
    const isHeld = error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY')
    throw isHeld ? new DataDirLockedError(dataDir) : error
  }
  return () => db.close()
}
