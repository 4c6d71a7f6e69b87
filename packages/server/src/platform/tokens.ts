import { SyncError, userIdSchema, type User } from '@t69/protocol'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'

import type { Tokens } from '../ports/tokens.ts'
import { maxSkewMs, type ServerClock } from './server-clock.ts'
import type { Sessions } from './sessions.ts'

/** Access tokens: short-lived and signed, so that checking one needs no password. */
export interface AccessTokens extends Tokens {
  issue(user: User, sessionId: string): { readonly accessToken: string; readonly expiresInMs: number }
}

/** Signs and verifies JWTs, synchronously and with HS256: `fastify.jwt`. */
export interface JwtSigner {
  sign(payload: object, options: { clockTimestamp: number }): string
  /** Throws for a token that is malformed, expired at `clockTimestamp`, or signed with another secret. */
  verify(token: string, options: { clockTimestamp: number }): object
}

const claimsSchema = z.object({
  sub: userIdSchema,
  sid: z.string(),
  name: z.string(),
  /** Unix seconds. */
  iat: z.int(),
  exp: z.int(),
})

type Claims = z.output<typeof claimsSchema>

/** Tokens that are known to be signed by this server: a device shows the same one with each request, for minutes. */
const maxSigned = 1_000

export interface AccessTokensOptions {
  readonly jwt: JwtSigner
  readonly sessions: Pick<Sessions, 'userOf'>
  readonly accessTokenTtlMs: number
  readonly clock: Pick<ServerClock, 'now' | 'latest'>
}

export function createAccessTokens({
  jwt,
  sessions,
  accessTokenTtlMs,
  clock,
}: AccessTokensOptions): AccessTokens {
  const signed = new LRUCache<string, Claims>({ max: maxSigned })

  return {
    issue(user, sessionId) {
      const issuedAt = clock.now()
      const exp = Math.ceil((issuedAt + accessTokenTtlMs) / 1000)
      // A token that was made while the machine's clock was ahead ends when the clock is right again.
      const iat = Math.floor(clock.latest() / 1000)
      const claims = { sub: user.id, sid: sessionId, name: user.name, iat, exp }
      const accessToken = jwt.sign(claims, { clockTimestamp: issuedAt })
      return { accessToken, expiresInMs: exp * 1000 - issuedAt }
    },
    verify(token) {
      const claims = claimsOf(token)
      if (claims !== undefined && claims.iat * 1000 > clock.latest() + maxSkewMs) throw invalidToken()
      // When a session ends, its access tokens end with it, however new they are.
      if (claims === undefined || sessions.userOf(claims.sid, clock.now()) !== claims.sub) {
        throw new SyncError('unauthenticated', 'The session has ended: sign in again')
      }
      const { sub, sid, name, exp } = claims
      return { userId: sub, userName: name, sessionId: sid, tokenExpiresAt: exp * 1000 }
    },
  }

  /** The claims of a token that has not expired. Undefined if they are not those of a session. */
  function claimsOf(token: string): Claims | undefined {
    const known = signed.get(token)
    if (known !== undefined && clock.now() < known.exp * 1000) return known
    const claims = claimsSchema.safeParse(verified(token)).data
    if (claims !== undefined) signed.set(token, claims)
    return claims
  }

  function verified(token: string): object {
    try {
      return jwt.verify(token, { clockTimestamp: clock.now() })
    } catch {
      throw invalidToken()
    }
  }
}

function invalidToken(): SyncError {
  return new SyncError('unauthenticated', 'The access token is invalid or expired: renew it')
}
