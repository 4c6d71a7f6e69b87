import { userIdSchema } from '@t69/protocol'
import { expect, it } from 'vitest'

import { createAccessTokens } from './tokens.ts'

const user = { id: userIdSchema.parse('a'.repeat(32)), email: 'anna@example.org', name: 'Anna' }

function setUp() {
  const world = { now: 1_000_000, user: user.id as typeof user.id | undefined, verified: 0 }
  const tokens = createAccessTokens({
    jwt: {
      sign: (payload) => JSON.stringify(payload),
      verify(token, { clockTimestamp }) {
        world.verified += 1
        const payload: { readonly exp: number } = JSON.parse(token)
        if (payload.exp * 1000 <= clockTimestamp) throw new Error('expired')
        return payload
      },
    },
    sessions: { userOf: () => world.user },
    accessTokenTtlMs: 60_000,
    clock: { now: () => world.now, latest: () => world.now },
  })
  return { world, tokens, token: tokens.issue(user, 'the session').accessToken }
}

it('checks the signature of an access token once', () => {
  const { world, tokens, token } = setUp()
  const data = tokens.verify(token)
  expect(data).toEqual({
    userId: user.id,
    userName: 'Anna',
    sessionId: 'the session',
    tokenExpiresAt: 1_060_000,
  })
  expect(tokens.verify(token)).toEqual(data)
  expect(world.verified).toBe(1)
})

it('checks each time whether the session has ended, and the token expired or is of the future', () => {
  const { world, tokens, token } = setUp()
  tokens.verify(token)
  world.user = undefined
  expect(() => tokens.verify(token)).toThrow('The session has ended')
  world.user = user.id
  tokens.verify(token)
  world.now -= 600_000
  expect(() => tokens.verify(token)).toThrow('invalid or expired')
  world.now = 1_059_999
  tokens.verify(token)
  expect(world.verified).toBe(1)
  world.now = 1_060_000
  expect(() => tokens.verify(token)).toThrow('invalid or expired')
})

it('remembers nothing of a token that is not valid', () => {
  const { world, tokens } = setUp()
  for (const _ of [1, 2]) expect(() => tokens.verify('forged')).toThrow('invalid or expired')
  expect(world.verified).toBe(2)
})
