import { SyncError } from '@t69/protocol'
import Database from 'better-sqlite3'

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

/** Runs what touches the file at `path`; a failure of the medium becomes `storage_failed`, bugs stay bugs. */
export function onStorage<Result>(path: string, run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof Error) || !isOfTheMedium(error)) throw error
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
    'syscall' in error ||
    // A value in the file that is not JSON.
    error instanceof SyntaxError
  )
}

/** The file is another space's, copied or renamed. */
export class ForeignFileError extends Error {
  override readonly name = 'ForeignFileError'
}
