import { type ErrorBody, SyncError } from '@t69/protocol'

/**
 * The error that a client is told. Only a `SyncError` has details for it. Anything else goes to `report`: it is a bug, or a disk
 * that fails.
 */
export function errorBodyOf(error: unknown, report: (error: unknown) => void): ErrorBody {
  if (error instanceof SyncError) return error.body
  report(error)
  return bodyOfFailure(error)
}

/** What a client is told about a failure that it did not cause: how the disk fails, or only that the server did. */
export function bodyOfFailure(error: unknown): ErrorBody {
  const reason = failureOfDisk(error)
  if (reason !== undefined)
    return { code: 'storage_failed', message: `the server cannot use its storage: ${reason}` }
  return { code: 'internal', message: 'the server failed; it has been logged' }
}

/** What SQLite or the system says of a disk that is full, read-only or out of order: no words of a client, and no paths. */
function failureOfDisk(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  if (/^SQLITE_(BUSY|CANTOPEN|FULL|IOERR|READONLY)/.test(error.code)) return error.message
  if (/^(EDQUOT|EIO|ENOSPC|EROFS)$/.test(error.code)) return error.code
  return undefined
}
