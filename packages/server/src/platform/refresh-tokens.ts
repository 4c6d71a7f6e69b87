import { createHmac, timingSafeEqual } from 'node:crypto'

import { newOpaqueToken } from './opaque-token.ts'

export interface RefreshClaims {
  readonly sessionId: string
  readonly generation: number
}

/** Makes and reads signed refresh tokens. */
export interface RefreshTokens {
  /** `<session>.<generation>.<256 random bits>.<signature>` */
  issue(claims: RefreshClaims): string
  /** The claims of a token; undefined unless this secret signed it. */
  read(token: string): RefreshClaims | undefined
}

export function createRefreshTokens(secret: string): RefreshTokens {
  // The secret signs access tokens too. The prefix keeps a signature of one kind from being used for the other.
  const sign = (text: string): Buffer => createHmac('sha256', secret).update(`refresh:${text}`).digest()

  return {
    issue: ({ sessionId, generation }) => {
      const text = `${sessionId}.${generation}.${newOpaqueToken()}`
      return `${text}.${sign(text).toString('base64url')}`
    },
    read: (token) => {
      const [, text = '', sessionId = '', generation, signature = ''] =
        /^(([0-9a-f]{32})\.([0-9]{1,15})\.[\w-]{43})\.([\w-]{43})$/.exec(token) ?? []
      const given = Buffer.from(signature, 'base64url')
      const expected = sign(text)
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
      return { sessionId, generation: Number(generation) }
    },
  }
}
