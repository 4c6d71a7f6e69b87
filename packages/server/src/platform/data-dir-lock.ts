import { statSync } from 'node:fs'
import { join } from 'node:path'

import Sqlite from 'better-sqlite3'

/** Another server is using the data directory. */
export class DataDirLockedError extends Error {
  override readonly name = 'DataDirLockedError'

  constructor(dataDir: string) {
    super(`another server is using ${dataDir}`)
  }
}

export interface DataDirLock {
  /** Takes the lock again if its file was removed or replaced. Throws `DataDirLockedError` when another has it now. */
  check(): void
  release(): void
}

/**
 * Keeps a second server out of the directory: two would number the same log. The lock is SQLite's own
 * exclusive lock on an empty file, which the operating system releases however the process ends. Waits
 * up to `waitMs` for a predecessor that is shutting down. Throws `DataDirLockedError`.
 *
 * Whoever removes the file removes the lock: see `claimDataDir`, and docs/decisions/0035.
 */
export function lockDataDir(dataDir: string, waitMs = 2000): DataDirLock {
  const path = join(dataDir, 'server.lock')
  const inodeOf = () => statSync(path, { throwIfNoEntry: false })?.ino
  let db = lock(waitMs)
  let inode = inodeOf()

  function lock(timeout: number): Sqlite.Database {
    const opened = new Sqlite(path, { timeout })
    try {
      opened.exec('begin exclusive')
      return opened
    } catch (error) {
      opened.close()
      const isHeld = error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY')
      throw isHeld ? new DataDirLockedError(dataDir) : error
    }
  }

  return {
    check: () => {
      if (inodeOf() === inode) return
      const again = lock(0)
      db.close()
      db = again
      inode = inodeOf()
    },
    release: () => db.close(),
  }
}
