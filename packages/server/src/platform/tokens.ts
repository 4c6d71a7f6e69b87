import type { SocketData } from '@t69/protocol'

/** Access tokens: short-lived, signed, checked without asking the database for the password again. */
export interface Tokens {
  /** Throws `unauthenticated` when the token is invalid, expired, or its session has ended. */
  verify(token: string): SocketData
}
