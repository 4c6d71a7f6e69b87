import { type ErrorBody, SyncError } from '@t69/protocol'

/** The error that a client is told. Only a `SyncError` has details for it; anything else is a bug, for `reportBug`. */
export function errorBodyOf(error: unknown, reportBug: (bug: unknown) => void): ErrorBody {
  if (error instanceof SyncError) return error.body
  reportBug(error)
  return { code: 'internal', message: 'the server failed; it has been logged' }
}
