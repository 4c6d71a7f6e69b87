import { z } from 'zod'

/**
 * Every reason for which a request can be refused, and what a client does about it. The set is closed: a switch over
 * the codes is exhaustive, and a new code needs a new protocol version.
 */
export const errorCodes = {
  /** The token is missing, invalid or expired. Renew the session, then repeat the request. */
  unauthenticated: { status: 401, retry: 'renew' },
  /** The user's role does not allow it. Keep the edits, show why, and try again when the role changes. */
  forbidden: { status: 403, retry: 'never' },
  /** There is no such space, member, invite or tree, or this user may not know of it. */
  not_found: { status: 404, retry: 'never' },
  /** The request is malformed: a bug in the client. Do not repeat it. */
  invalid_request: { status: 400, retry: 'never' },
  /** The e-mail address and the password do not match an account. Ask the user again. */
  wrong_credentials: { status: 401, retry: 'never' },
  /** The e-mail address or the space id is taken by someone else. */
  already_exists: { status: 409, retry: 'never' },
  /** The link (an invite, or one to set a password) was used up, was withdrawn, or is too old. Ask for a new one. */
  invite_expired: { status: 410, retry: 'never' },
  /** The batch does not decode, or an operation in it is malformed. Set that operation aside. */
  invalid_batch: { status: 400, retry: 'never' },
  /** The log has another operation with the same id. Set the operation aside: it is never accepted. */
  op_conflict: { status: 409, retry: 'never' },
  /** The operation's clock is too far above the highest of its tree. Set the operation aside. */
  clock_out_of_range: { status: 400, retry: 'never' },
  /** The message or batch exceeds its limit. Send less at once. */
  too_large: { status: 413, retry: 'never' },
  /** Too many requests. Repeat after `retryAfterMs`. */
  rate_limited: { status: 429, retry: 'later' },
  /** The space or the user is over quota. Deletes are still accepted; keep the other edits and retry later. */
  quota_exceeded: { status: 507, retry: 'later' },
  /** The socket has not joined the space. Join it, then repeat. */
  not_joined: { status: 409, retry: 'rejoin' },
  /**
   * Another space has this id on the server now, and not the one that the device knows. Send nothing of it, and ask the
   * user.
   */
  other_space: { status: 409, retry: 'never' },
  /**
   * The server lacks a change of the space's members that this device knows of: it was restored from an older copy.
   * Show it the seal of the space, then join.
   */
  access_behind: { status: 409, retry: 'register' },
  /** The server no longer serves a client this old. Reload to update; the edits stay on the device. */
  unsupported_version: { status: 426, retry: 'never' },
  /** The storage of the space fails (disk full, corrupt file). Keep the edits, retry later. */
  storage_failed: { status: 503, retry: 'later' },
  /** The server is shutting down or overloaded. Reconnect later. */
  unavailable: { status: 503, retry: 'later' },
  /** A bug in the server, which has logged it. Keep the edits, retry later. */
  internal: { status: 500, retry: 'later' },
} as const satisfies Record<
  string,
  { status: number; retry: 'never' | 'later' | 'renew' | 'rejoin' | 'register' }
>

export type ErrorCode = keyof typeof errorCodes

export const errorCodeSchema = z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]])

export const errorBodySchema = z.object({
  code: errorCodeSchema,
  /** What was wrong and where, as a sentence for logs and status lines. */
  message: z.string(),
  /** When to try again. Given with `rate_limited`, and with other codes whose `retry` is `later`. */
  retryAfterMs: z.number().int().nonnegative().optional(),
  /** Where in the request the problem is: the path of a field, or the index of an operation in its batch. */
  at: z.union([z.string(), z.number().int().nonnegative()]).optional(),
})

/** An error on the wire: the `error` of an ack or of an HTTP response, the `data` of a refused handshake. */
export type ErrorBody = z.infer<typeof errorBodySchema>

/**
 * An `ErrorBody` that is thrown.
 *
 *     throw new SyncError('rate_limited', 'Too many requests', { retryAfterMs: 500 })
 */
export class SyncError extends Error {
  override readonly name = 'SyncError'
  readonly body: ErrorBody

  constructor(code: ErrorCode, message: string, details: Pick<ErrorBody, 'retryAfterMs' | 'at'> = {}) {
    super(message)
    this.body = { code, message, ...details }
  }

  get code(): ErrorCode {
    return this.body.code
  }

  /** Throws what the other end sent: `if (!ack.ok) throw SyncError.from(ack.error)`. */
  static from(body: ErrorBody): SyncError {
    const { code, message, ...details } = body
    return new SyncError(code, message, details)
  }
}

/**
 * What to say of anything that was thrown: an error's own message, and any other value as text.
 *
 *     logger.warn(`The server cannot be reached: ${messageOf(error)}`)
 */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * Anything that was thrown, as an `ErrorBody`: the body of a `SyncError`, and `internal` with its message for
 * everything else. For use within one process: a server logs the message of a bug, and does not send it.
 *
 *     await push(batch).catch((error: unknown) => dispatch({ type: 'refused', error: errorBodyFrom(error) }))
 */
export function errorBodyFrom(error: unknown): ErrorBody {
  return error instanceof SyncError ? error.body : { code: 'internal', message: messageOf(error) }
}
