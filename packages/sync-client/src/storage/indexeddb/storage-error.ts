import { messageOf, SyncError } from '@t69/protocol'

/** Whatever IndexedDB or Dexie threw, as the one error that callers of a storage meet. The first is its `cause`. */
export function storageError(error: unknown): SyncError {
  if (error instanceof SyncError) return error
  const message = hasName(error, 'QuotaExceededError')
    ? 'The browser gives this site no more room on this device.'
    : `The storage of this device failed: ${messageOf(error)}.`
  const wrapped = new SyncError('storage_failed', message)
  wrapped.cause = error
  return wrapped
}

/** Why nothing is kept, for the person in front of the page. */
export function refusalReason(error: unknown): string {
  if (hasName(error, 'QuotaExceededError')) {
    return 'This device has no room left: what you write here is lost when you close this page.'
  }
  if (
    hasName(error, 'MissingAPIError') ||
    hasName(error, 'SecurityError') ||
    hasName(error, 'InvalidStateError')
  ) {
    return 'This browser keeps nothing here (a private window?): what is not synced is lost when you close this page.'
  }
  const detail = error instanceof Error ? ` (${error.name})` : ''
  return `The storage of this device does not open${detail}: what is not synced is lost when you close this page.`
}

/**
 * Whether a fresh connection may succeed where this one failed. Browsers end connections of pages in the
 * background, Safari without telling (it then fails with UnknownError), and abort what was under way. Dexie
 * says OpenFailedError where it is itself about to reopen, for somebody else.
 */
export function isDeadConnection(error: unknown): boolean {
  if (hasName(error, 'QuotaExceededError')) return false
  return ['DatabaseClosedError', 'InvalidStateError', 'UnknownError', 'AbortError', 'OpenFailedError'].some(
    (name) => hasName(error, name),
  )
}

/** Dexie wraps errors in its own, as `inner`, and those of bulk writes in `failures`. */
function hasName(error: unknown, name: string): boolean {
  if (typeof error !== 'object' || error === null) return false
  if ('name' in error && error.name === name) return true
  if ('inner' in error && error.inner !== error && hasName(error.inner, name)) return true
  return (
    'failures' in error && Array.isArray(error.failures) && error.failures.some((one) => hasName(one, name))
  )
}
