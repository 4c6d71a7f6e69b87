import { expect, test } from 'vitest'

import { errorBodyFrom, errorBodySchema, errorCodes, messageOf, SyncError } from './errors.ts'

const codes = Object.entries(errorCodes)

test('[ER3] a code is retried later if it is a failure that passes by itself, and only then', () => {
  // 429 and the server's failures pass by themselves. 409 needs a join first, and 401 a renewed session.
  for (const [code, { status, retry }] of codes) {
    const passes = status === 429 || status >= 500
    expect([code, retry === 'later']).toEqual([code, passes])
  }
  expect(codes.filter(([, { retry }]) => retry === 'renew').map(([code]) => code)).toEqual([
    'unauthenticated',
  ])
  expect(codes.filter(([, { retry }]) => retry === 'rejoin').map(([code]) => code)).toEqual(['not_joined'])
})

test('[ER4] every code has the HTTP status of an error', () => {
  for (const [, { status }] of codes) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(600)
  }
})

test('[ER1] the schema of an error body accepts every code, and no other', () => {
  for (const [code] of codes) expect(errorBodySchema.safeParse({ code, message: '' }).success).toBe(true)
  expect(errorBodySchema.safeParse({ code: 'toString', message: '' }).success).toBe(false)
})

test('[ER1] a SyncError has its message and the body it was created with', () => {
  const error = new SyncError('invalid_batch', 'operation 3: clock', { at: 3 })
  expect(error.message).toBe('operation 3: clock')
  expect(error.code).toBe('invalid_batch')
  expect(error.body).toEqual({ code: 'invalid_batch', message: 'operation 3: clock', at: 3 })
})

test('the error body of a SyncError is its own, with every detail', () => {
  const error = new SyncError('rate_limited', 'too many requests', { retryAfterMs: 250 })
  expect(errorBodyFrom(error)).toEqual({
    code: 'rate_limited',
    message: 'too many requests',
    retryAfterMs: 250,
  })
})

test.for([
  [new TypeError('x is not a function'), 'x is not a function'],
  ['a thrown string', 'a thrown string'],
  [undefined, 'undefined'],
  [null, 'null'],
])('the error body of anything else is internal, with its message: %s', ([thrown, message]) => {
  expect(messageOf(thrown)).toBe(message)
  expect(errorBodyFrom(thrown)).toEqual({ code: 'internal', message })
})

test('[ER6] a code that stands for several refusals takes the reason, and a reason of a newer server is left out', () => {
  // @ts-expect-error No client could say in its own words what is not allowed.
  const bare = new SyncError('forbidden', 'no')
  expect(bare.body.reason).toBeUndefined()
  const body = { code: 'forbidden', message: 'no' } as const
  expect(errorBodySchema.parse({ ...body, reason: 'last_admin' })).toEqual({ ...body, reason: 'last_admin' })
  expect(errorBodySchema.parse({ ...body, reason: 'of tomorrow' })).toEqual(body)
})
