import { SyncError } from '@t69/protocol'
import Database from 'better-sqlite3'

import { DisplacedFileError } from './database-files.ts'
import { NewerSchemaError } from './migrate.ts'

/** What went wrong with which file: for the server's log, not for the wire. It is the `SyncError`'s `cause`. */
export class StorageFailure extends Error {
  override readonly name = 'StorageFailure'
  readonly path: string

  constructor(path: string, cause: Error) {
    super(`${path}: ${cause.message}`, { cause })
    this.path = path
  }
}

/**
 * Runs what touches the file at `path`; a failure of the medium becomes `storage_failed`, bugs stay bugs.
 * `damaged` is called first when what the file holds turned out to be wrong.
 */
export function onStorage<Result>(path: string, run: () => Result, damaged?: () => void): Result {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof Error) || !isOfTheMedium(error)) throw error
    if (isDamage(error)) damaged?.()
    const failed = new SyncError('storage_failed', 'the storage of this space fails')
    failed.cause = new StorageFailure(path, error)
    throw failed
  }
}

function isOfTheMedium(error: Error): boolean {
  return (
    error instanceof Database.SqliteError ||
    error instanceof NewerSchemaError ||
    error instanceof ForeignFileError ||
    error instanceof DisplacedFileError ||
    error instanceof DamagedAgainError ||
    'syscall' in error ||
    isDamage(error)
  )
}

/** What the file holds is wrong. A disk that is full, or may not be written, damages nothing. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof Database.SqliteError) {
    return error.code.startsWith('SQLITE_CORRUPT') || error.code === 'SQLITE_NOTADB'
  }
  // A value in the file that is not JSON.
  return error instanceof SyntaxError
}

/** The process may open no more files, or so it seems: SQLite does not say why it could not open one. */
export function isOutOfFiles(error: unknown): boolean {
  if (!(error instanceof SyncError) || !(error.cause instanceof StorageFailure)) return false
  const { cause } = error.cause
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return false
  return cause.code === 'EMFILE' || cause.code === 'ENFILE' || cause.code.startsWith('SQLITE_CANTOPEN')
}

/** The file is another space's, copied or renamed. */
export class ForeignFileError extends Error {
  override readonly name = 'ForeignFileError'
}

/** Set aside once already since the process began: the disk itself may be failing, and somebody has to look. */
export class DamagedAgainError extends Error {
  override readonly name = 'DamagedAgainError'
}
