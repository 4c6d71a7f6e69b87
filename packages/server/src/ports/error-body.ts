import { type ErrorBody, SyncError } from '@t69/protocol'

/** What a client is told of an error. Anything but a `SyncError` is a bug: `reportBug` gets it, the client no detail. */
export function errorBodyOf(error: unknown, reportBug: (bug: unknown) => void): ErrorBody {
  if (error instanceof SyncError) return error.body
  reportBug(error)
  return { code: 'internal', message: 'the server failed; it has been logged' }
}
