import { z } from 'zod'

/**
 * Every way a request can be refused, and what a client does about it. The set is closed: a switch
 * over it is exhaustive, and a new code is a new protocol version.
 */
export const errorCodes = {
  /** No token, or one that is invalid or expired. Renew the session, then repeat the request. */
  unauthenticated: { status: 401, retry: 'renew' },
  /** The role does not allow it. Keep the edits, show why, and try again when the role changes. */
  forbidden: { status: 403, retry: 'never' },
  /** No such space, member, invite or tree, or none that this user may know of. */
  not_found: { status: 404, retry: 'never' },
  /** The request's form is wrong: a bug in the client. Do not repeat it. */
  invalid_request: { status: 400, retry: 'never' },
  /** E-mail and password do not match an account. Ask again. */
  wrong_credentials: { status: 401, retry: 'never' },
  /** The e-mail address or the space id is taken by someone else. */
  already_exists: { status: 409, retry: 'never' },
  /** The invite was used up, withdrawn or is too old. Ask for a new one. */
  invite_expired: { status: 410, retry: 'never' },
  /** The batch does not decode, or an operation in it is malformed. Set the named one aside. */
  invalid_batch: { status: 400, retry: 'never' },
  /** The operation's id is in the log with another content. Set it aside; it is never taken. */
  op_conflict: { status: 409, retry: 'never' },
  /** The operation's clock is further above its tree's highest than the window. Set it aside. */
  clock_out_of_range: { status: 400, retry: 'never' },
  /** The message or batch is over its limit. Send less at once. */
  too_large: { status: 413, retry: 'never' },
  /** Too many requests. Repeat after `retryAfterMs`. */
  rate_limited: { status: 429, retry: 'later' },
  /** The space or the user is over quota. Deletes are still taken; keep the rest and retry later. */
  quota_exceeded: { status: 507, retry: 'later' },
  /** The socket has not joined the space. Join it, then repeat. */
  not_joined: { status: 409, retry: 'rejoin' },
  /** The client is older than the server serves. Reload to update; edits stay where they are. */
  unsupported_version: { status: 426, retry: 'never' },
  /** The space's storage fails (disk full, corrupt file). Keep the edits, retry later. */
  storage_failed: { status: 503, retry: 'later' },
  /** The server is shutting down or overloaded. Reconnect later. */
  unavailable: { status: 503, retry: 'later' },
  /** A bug in the server, logged there. Keep the edits, retry later. */
  internal: { status: 500, retry: 'later' },
} as const satisfies Record<string, { status: number; retry: 'never' | 'later' | 'renew' | 'rejoin' }>

export type ErrorCode = keyof typeof errorCodes

export const errorCodeSchema = z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]])

export const errorBodySchema = z.object({
  code: errorCodeSchema,
  /** A sentence for whoever reads a log or a status line: what was wrong and where. */
  message: z.string(),
  /** With `rate_limited` and the other codes that pass: when to try again. */
  retryAfterMs: z.number().int().nonnegative().optional(),
  /** Where in the request it is: a field's path, or the index of an operation in its batch. */
  at: z.union([z.string(), z.number().int().nonnegative()]).optional(),
})

/** What travels: in an ack's `error`, in an HTTP response's `error`, in a refused handshake's `data`. */
export type ErrorBody = z.infer<typeof errorBodySchema>

/** An `ErrorBody` on its way through code that throws. */
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
