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

/**
 * Which refusal it is, where one code stands for several that a person has to be told apart. A client says it in the language of its
 * user; one that does not know the reason goes by the code. `RefusedCode` always has one.
 */
export const refusalReasonSchema = z.enum([
  /** The role of the caller in the space does not allow it. */
  'role',
  /** An owner of the space has to do it, or to be there for it. */
  'owner_needed',
  /** The space would be left without an owner. */
  'keeps_an_owner',
  /** The account is the last owner of spaces that others are in, some of which `names` names. */
  'last_owner',
  'sign_up_closed',
  'invite_needed',
  /** An account has this e-mail address. */
  'address_taken',
  /** An account has the e-mail address that the provider gives, and nobody has shown that it is theirs. */
  'address_unproven',
  /** The provider does not vouch for the e-mail address. */
  'address_unverified',
  /** The owner of the account has ended what connected it with the provider. */
  'connection_ended',
  /** Of the account and the person at the provider, one is connected with another. */
  'connected_elsewhere',
  /** A passkey or a visit to the provider counts once, and for some minutes. */
  'too_late',
  /** A page at another address than the server's asks with its cookie. */
  'other_page',
  /** Somebody else is signed in by now. */
  'other_user',
  /** Nothing would be left to sign in with. */
  'last_way_in',
  'too_many_passkeys',
  'passkey_known',
  'not_admin',
  /** The server would be left without an admin. */
  'last_admin',
  /** Not for one's own account. */
  'own_account',
  /** The id of the space is taken, by another or by one that was deleted. */
  'id_taken',
  'too_many_spaces',
  'too_many_members',
  'too_many_invites',
  /** This device keeps the space for another account. */
  'locked',
  /** What there was to decide is gone. */
  'nothing_to_decide',
  /** The server has no mail, no provider or no passkeys. */
  'not_offered',
  /** The provider with which people sign in does not answer, or not as it should. */
  'provider_unreachable',
  /** Too many people are signing in at this moment. */
  'busy',
])
export type RefusalReason = z.infer<typeof refusalReasonSchema>

/** The codes that stand for several refusals. */
export type RefusedCode = 'forbidden' | 'already_exists' | 'quota_exceeded'

export const errorBodySchema = z.object({
  code: errorCodeSchema,
  /** What was wrong and where, as a sentence for logs and status lines. */
  message: z.string(),
  /** Undefined as well for one of a newer server. */
  reason: refusalReasonSchema.optional().catch(undefined),
  /** What the reason is about: up to 5 names of spaces. */
  names: z.array(z.string()).optional(),
  /** When to try again. Given with `rate_limited`, and with other codes whose `retry` is `later`. */
  retryAfterMs: z.number().int().nonnegative().optional(),
  /** Where in the request the problem is: the path of a field, or the index of an operation in its batch. */
  at: z.union([z.string(), z.number().int().nonnegative()]).optional(),
})

/** An error on the wire: the `error` of an ack or of an HTTP response, the `data` of a refused handshake. */
export type ErrorBody = z.infer<typeof errorBodySchema>

type Details = Omit<ErrorBody, 'code' | 'message'>
/** Whoever refuses says why, in a way that a client can translate. */
type DetailsOf<Code extends ErrorCode> = Code extends RefusedCode
  ? [details: Details & { readonly reason: RefusalReason }]
  : [details?: Details]

/**
 * An `ErrorBody` that is thrown.
 *
 *     throw new SyncError('rate_limited', 'Too many requests', { retryAfterMs: 500 })
 *     throw new SyncError('forbidden', 'This takes an admin of the server', { reason: 'not_admin' })
 */
export class SyncError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'SyncError'
  readonly body: ErrorBody

  constructor(code: Code, message: string, ...[details]: DetailsOf<Code>) {
    super(message)
    this.body = { code, message, ...details }
  }

  get code(): ErrorCode {
    return this.body.code
  }

  /** Throws what the other end sent: `if (!ack.ok) throw SyncError.from(ack.error)`. */
  static from(body: ErrorBody): SyncError {
    const { code, message, ...details } = body
    return new SyncError<ErrorCode>(code, message, details)
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
