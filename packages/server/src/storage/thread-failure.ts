import { SyncError } from '@t69/protocol'

import { StorageFailure } from '../sqlite/storage-failure.ts'
import { LogGoneError } from './log-gone-error.ts'
import type { ThreadFailure } from './thread-messages.ts'

/** Writes down what was thrown on a storage thread. */
export function failureOf(error: unknown): ThreadFailure {
  const { message, stack, cause } = error instanceof Error ? error : new Error(String(error))
  const failed = cause instanceof StorageFailure && cause.cause instanceof Error ? cause.cause : cause
  return {
    body: error instanceof SyncError ? error.body : undefined,
    isGone: error instanceof LogGoneError,
    message,
    stack,
    cause:
      failed instanceof Error
        ? {
            message: failed.message,
            code: 'code' in failed && typeof failed.code === 'string' ? failed.code : undefined,
            path: cause instanceof StorageFailure ? cause.path : undefined,
          }
        : undefined,
  }
}

/** What was thrown, to be thrown again. */
export function errorOf({ body, isGone, message, stack, cause }: ThreadFailure): Error {
  if (body === undefined) {
    const bug = new Error(message)
    if (stack !== undefined) bug.stack = stack
    return bug
  }
  const reason = cause && Object.assign(new Error(cause.message), cause.code && { code: cause.code })
  const failed = reason && cause?.path !== undefined ? new StorageFailure(cause.path, reason) : reason
  if (isGone) return new LogGoneError(failed)
  const error = SyncError.from(body)
  if (failed !== undefined) error.cause = failed
  return error
}
