import { messageOf, SyncError } from '@t69/protocol'

/** Converts an error of IndexedDB or Dexie to the one error that a storage throws. The original is its `cause`. */
export function storageError(error: unknown): SyncError {
  if (error instanceof SyncError) return error
  const message = hasName(error, 'QuotaExceededError')
    ? 'The browser allows this site no more room on this device.'
    : `The storage of this device failed: ${messageOf(error)}.`
  const wrapped = new SyncError('storage_failed', message)
  wrapped.cause = error
  return wrapped
}

/** Says why nothing is kept, in a sentence for people. */
export function refusalReason(error: unknown): string {
  if (hasName(error, 'QuotaExceededError')) {
    return 'This device has no room left: anything you write here is lost when you close this page.'
  }
  if (
    hasName(error, 'MissingAPIError') ||
    hasName(error, 'SecurityError') ||
    hasName(error, 'InvalidStateError')
  ) {
    return 'This browser does not keep data here (a private window?): anything not synced is lost when you close this page.'
  }
  const detail = error instanceof Error ? ` (${error.name})` : ''
  return `The storage of this device does not open${detail}: anything not synced is lost when you close this page.`
}

/**
 * Whether a fresh connection may succeed where this one failed. Browsers end the connections of background pages, and
 * abort the transactions under way; Safari does so without an event, and fails later with UnknownError. Dexie throws
 * OpenFailedError while it reopens the database itself, for another call.
 */
export function isDeadConnection(error: unknown): boolean {
  if (hasName(error, 'QuotaExceededError')) return false
  return ['DatabaseClosedError', 'InvalidStateError', 'UnknownError', 'AbortError', 'OpenFailedError'].some(
    (name) => hasName(error, name),
  )
}

/** Whether the error, or one inside it, has this name. Dexie wraps errors as `inner`, those of bulk writes as `failures`. */
function hasName(error: unknown, name: string): boolean {
  if (typeof error !== 'object' || error === null) return false
  if ('name' in error && error.name === name) return true
  if ('inner' in error && error.inner !== error && hasName(error.inner, name)) return true
  return (
    'failures' in error && Array.isArray(error.failures) && error.failures.some((one) => hasName(one, name))
  )
}
