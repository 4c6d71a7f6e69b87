import { SyncError } from '@t69/protocol'
import Database from 'better-sqlite3'

import { DisplacedFileError } from '../sqlite/database-files.ts'
import { NewerSchemaError } from '../sqlite/migrate.ts'
import { isDamage, StorageFailure } from '../sqlite/storage-failure.ts'
import { isWronglyReadOnly } from '../sqlite/wrongly-read-only.ts'

/**
 * Runs what touches a space's file at `path`. A failure of the medium becomes `storage_failed`, with a
 * `StorageFailure` as its cause; a bug stays a bug. `damaged` is called first when the file's content is wrong.
 */
export function onStorage<Result>(path: string, run: () => Result, damaged?: () => void): Result {
  try {
    return run()
  } catch (error) {
    if (!isOfTheMedium(error)) throw error
    if (isDamage(error) || isWronglyReadOnly(error, path)) damaged?.()
    const failed = new SyncError('storage_failed', 'the storage of this space fails')
    failed.cause = new StorageFailure(path, error)
    throw failed
  }
}

/** Whether it is a failure of the medium, and no bug. */
export function isOfTheMedium(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
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

/** The file is another space's, copied or renamed. */
export class ForeignFileError extends Error {
  override readonly name = 'ForeignFileError'
}

/** The file was set aside once since the process began. The disk itself may be failing: an operator has to look. */
export class DamagedAgainError extends Error {
  override readonly name = 'DamagedAgainError'
}
