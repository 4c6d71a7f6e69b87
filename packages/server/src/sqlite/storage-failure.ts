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

/** Whether the content of a file is wrong. A disk that is full or read-only damages nothing. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof Database.SqliteError) {
    return error.code.startsWith('SQLITE_CORRUPT') || error.code === 'SQLITE_NOTADB'
  }
  // A value in the file that is not JSON.
  return error instanceof SyntaxError
}
