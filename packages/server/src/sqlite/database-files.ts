import { chmodSync, statSync } from 'node:fs'

import Database from 'better-sqlite3'

/**
 * The open file is no longer the one at its path, or another program has written into it. SQLite keeps using the
 * file that it has open, and its commits are lost to anyone who opens the path next.
 */
export class DisplacedFileError extends Error {
  override readonly name = 'DisplacedFileError'
}

/** Checks that an open database is still the file at its path. A check takes some microseconds: two `stat` calls. */
export interface DatabaseFiles {
  /**
   * Bytes of the database and its write-ahead log when they were checked last. What is in the database takes no more than that.
   */
  readonly bytes: number
  /** Throws `DisplacedFileError` when the database, or its write-ahead log, was replaced, moved or removed. */
  checkPlace(): void
  /** The same, and tells whether another program has written into the database file since `noteContent`. */
  isChanged(): boolean
  /** Remembers the file's size and time. For after each own write, which may have changed the file at a checkpoint. */
  noteContent(): void
  /** The same, once it is checked that what was written is in the file at its path. Throws like `checkPlace`. */
  noteCommit(): void
  /** Closes the database. Repeating it is harmless. */
  close(): void
  /**
   * Closes the database as a crash would: nothing more gets from the write-ahead log into the database. For files that no
   * longer fit what SQLite has of them in memory. Who opens them next takes from the log what is whole.
   */
  abandon(): void
}

export interface OpenedDatabase {
  readonly db: Database.Database
  readonly files: DatabaseFiles
}

/**
 * How long a write waits for another program's transaction on the file, in ms. The whole server waits with it, so the
 * time is short; a refused write is repeated by its client.
 */
const lockTimeoutMs = 250

/**
 * Opens a database, and creates it unless `readonly`. `prepare` sets it up (write-ahead logging, the schema); when it
 * throws, the database is closed again. Throws what better-sqlite3 throws, and `DisplacedFileError`.
 */
export function openDatabase(
  path: string,
  prepare: (db: Database.Database) => void,
  { readonly = false }: { readonly readonly?: boolean } = {},
): OpenedDatabase {
  const before = lookAt(path)
  if (!readonly) giveRightsBack(path)
  const db = new Database(path, { timeout: lockTimeoutMs, readonly, fileMustExist: readonly })
  try {
    const opened = lookAt(path)
    // SQLite opened whatever was at the path at some moment between the two looks.
    if (before !== undefined && before.id !== opened?.id) throw displaced()
    prepare(db)
    return { db, files: watchFiles(db, path, opened?.id) }
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Makes the files beside a database writable again if it is. SQLite gives them the rights of the database when it makes
 * them. If that was read-only then, they stay so when it no longer is, and nobody thinks of them.
 */
function giveRightsBack(path: string): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  for (const beside of [`${path}-wal`, `${path}-shm`]) {
    const found = statSync(beside, { throwIfNoEntry: false })
    if (found === undefined || (mode & ownerWrites) === 0 || (found.mode & ownerWrites) !== 0) continue
    try {
      chmodSync(beside, mode & 0o777)
    } catch {
      // The file is another user's. SQLite says what it cannot do.
    }
  }
}

/** The right of a file's owner to write, in its mode. */
const ownerWrites = 0o200

function watchFiles(db: Database.Database, path: string, id: string | undefined): DatabaseFiles {
  const walPath = `${path}-wal`
  // While the database is open, only its own process creates or removes its write-ahead log.
  const openedWal = lookAt(walPath)
  const opened = lookAt(path)
  let content = opened?.content
  let bytes = sumOf(opened, openedWal)

  /** Returns what is at the path. */
  function lookAtPlace(): Look | undefined {
    const found = lookAt(path)
    if (found?.id !== id) throw displaced()
    const wal = openedWal && lookAt(walPath)
    if (wal?.id !== openedWal?.id) {
      throw new DisplacedFileError('its write-ahead log was replaced, moved or removed while it was in use')
    }
    bytes = sumOf(found, wal)
    return found
  }

  return {
    get bytes() {
      return bytes
    },
    checkPlace: () => void lookAtPlace(),
    isChanged: () => lookAtPlace()?.content !== content,
    noteContent: () => {
      content = lookAt(path)?.content
    },
    noteCommit: () => {
      content = lookAtPlace()?.content
    },
    abandon: () => {
      if (!db.open) return
      // Only the last connection copies the log into the database, and one that may not write never does.
      const last = new Database(path, { readonly: true })
      try {
        last.pragma('user_version')
      } catch {
        // It has the file open all the same.
      }
      db.close()
      last.close()
    },
    close: () => {
      if (!db.open) return
      try {
        lookAtPlace()
      } catch {
        // SQLite leaves the write-ahead log of a moved database where it is. Its commits belong to the database,
        // wherever that is now, and not to the file that is opened at the path next.
        db.pragma('wal_checkpoint(TRUNCATE)')
      } finally {
        db.close()
      }
    },
  }
}

const displaced = (): Error => new DisplacedFileError('it was replaced, moved or removed while it was in use')

interface Look {
  /** Identifies the file while somebody has it open. */
  readonly id: string
  readonly content: string
  readonly bytes: number
}

function sumOf(...looks: readonly (Look | undefined)[]): number {
  return looks.reduce((sum, look) => sum + (look?.bytes ?? 0), 0)
}

/** Undefined without a file. Never opens it: closing it again would release SQLite's locks on it. */
function lookAt(path: string): Look | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return (
    found && {
      id: `${found.dev}:${found.ino}`,
      content: `${found.size}:${found.mtimeMs}`,
      bytes: found.size,
    }
  )
}
