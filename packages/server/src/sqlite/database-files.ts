import { statSync } from 'node:fs'

import Database from 'better-sqlite3'

/**
 * The file that is open is not the one at its path any more, or another program has written into it. SQLite goes
 * on with what it has open, and whatever it commits there is gone for whoever opens the path next.
 */
export class DisplacedFileError extends Error {
  override readonly name = 'DisplacedFileError'
}

/** Tells whether an open database is still what is at its path: two looks at the file system, some microseconds. */
export interface DatabaseFiles {
  /** Throws `DisplacedFileError` when the database, or its write-ahead log, was replaced, moved or removed. */
  checkPlace(): void
  /** Throws when another program has written into the database file since `noteContent`. */
  checkContent(): void
  /** For after each write of this process: it may have moved what the write-ahead log had into the file. */
  noteContent(): void
  /** Closes the database. Repeating it is harmless. */
  close(): void
}

export interface OpenedDatabase {
  readonly db: Database.Database
  readonly files: DatabaseFiles
}

/**
 * How long a write waits for another program's transaction on the file, an operator's say. The whole server waits
 * with it: what is refused for it comes again by itself.
 */
const lockTimeoutMs = 250

/**
 * Opens a database, made when it is not there unless it is to be read only. `prepare` sets it up (write-ahead logging, the schema), and where
 * that throws it is closed again. Throws what better-sqlite3 throws, and `DisplacedFileError`.
 */
export function openDatabase(
  path: string,
  prepare: (db: Database.Database) => void,
  { readonly = false }: { readonly readonly?: boolean } = {},
): OpenedDatabase {
  const before = lookAt(path)
  const db = new Database(path, { timeout: lockTimeoutMs, readonly, fileMustExist: readonly })
  try {
    const opened = lookAt(path)
    // What SQLite has open was at the path at some time between the two looks.
    if (before !== undefined && before.id !== opened?.id) throw displaced()
    prepare(db)
    return { db, files: watchFiles(db, path, opened?.id) }
  } catch (error) {
    db.close()
    throw error
  }
}

function watchFiles(db: Database.Database, path: string, id: string | undefined): DatabaseFiles {
  const walPath = `${path}-wal`
  // As long as the database is open nobody but its own process makes or removes it.
  const walId = lookAt(walPath)?.id
  let content = lookAt(path)?.content

  function checkPlace(): void {
    if (lookAt(path)?.id !== id) throw displaced()
    if (walId !== undefined && lookAt(walPath)?.id !== walId) {
      throw new DisplacedFileError('its write-ahead log was replaced, moved or removed while it was in use')
    }
  }

  return {
    checkPlace,
    checkContent: () => {
      if (lookAt(path)?.content !== content) {
        throw new DisplacedFileError('another program wrote into it while it was in use')
      }
    },
    noteContent: () => {
      content = lookAt(path)?.content
    },
    close: () => {
      if (!db.open) return
      try {
        checkPlace()
      } catch {
        // SQLite leaves the write-ahead log of a database that was moved where it is. What was committed belongs
        // into the database, wherever it is now, and not into what is opened at its path next.
        db.pragma('wal_checkpoint(TRUNCATE)')
      } finally {
        db.close()
      }
    },
  }
}

const displaced = (): Error => new DisplacedFileError('it was replaced, moved or removed while it was in use')

interface Look {
  /** Which file it is, as long as somebody has it open. */
  readonly id: string
  readonly content: string
}

/** Undefined for a file that is not there. Never opens it: to close it again would end SQLite's locks on it. */
function lookAt(path: string): Look | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found && { id: `${found.dev}:${found.ino}`, content: `${found.size}:${found.mtimeMs}` }
}
