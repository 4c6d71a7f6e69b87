import type { SocketData } from '@t69/protocol'

/** Checks access tokens, for HTTP and for sockets. */
export interface Tokens {
  /** Throws `unauthenticated` when the token is invalid, expired, or its session has ended. */
  verify(token: string): SocketData
}
