import Database from 'better-sqlite3'

/** What went wrong with which file: for the server's log, never for the wire. */
export class StorageFailure extends Error {
  override readonly name = 'StorageFailure'
  readonly path: string

  constructor(path: string, cause: Error) {
    super(`${path}: ${cause.message}`, { cause })
    this.path = path
  }
}

/** What a file holds is not what was written to it, which SQLite does not see. */
export class WrongContentError extends Error {
  override readonly name = 'WrongContentError'
}

/** Whether SQLite could not write, and what it reads is right: the disk is full or read-only, or another program writes. */
export function isUnwritable(error: unknown): error is Error {
  return error instanceof Database.SqliteError && unwritable.test(error.code)
}

const unwritable = /^SQLITE_(BUSY|CANTOPEN|FULL|IOERR|READONLY)/

/**
 * SQLite's codes for content that is wrong: pages that do not fit together, and what this program never writes. A page
 * that was cut off reads as zeros, and then a row seems to be missing, a key to be there twice, or a table unknown.
 */
const contentCodes = [
  'SQLITE_CORRUPT',
  'SQLITE_NOTADB',
  'SQLITE_ERROR',
  'SQLITE_CONSTRAINT',
  'SQLITE_MISMATCH',
  'SQLITE_TOOBIG',
]

/** Whether the content of a file seems to be wrong. A disk that is full or read-only damages nothing. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof Database.SqliteError) {
    const { code } = error
    return contentCodes.some((wrong) => code === wrong || code.startsWith(`${wrong}_`))
  }
  // A value in the file that is not JSON.
  return error instanceof SyntaxError || error instanceof WrongContentError
}
