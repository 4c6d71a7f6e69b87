import fc from 'fast-check'
import { expect, it } from 'vitest'

import { backoffMs } from './backoff.ts'

const chance = (value: number) => ({ random: () => value })

it('the longest possible backoff doubles at each attempt, up to the cap', () => {
  const most = Array.from({ length: 9 }, (_, attempt) => backoffMs(attempt, chance(1)))
  expect(most).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000])
})

it('a backoff is spread over the whole range, and is at least a tenth of the base', () => {
  expect(backoffMs(3, chance(0))).toBe(100)
  expect(backoffMs(3, chance(0.5))).toBe(4000)
})

it('[ER3] a backoff never ends before the time that the server named', () => {
  fc.assert(
    fc.property(
      fc.nat(2000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(600_000),
      (attempt, random, retryAfterMs) => {
        const delay = backoffMs(attempt, chance(random), retryAfterMs)
        expect(delay).toBeGreaterThanOrEqual(retryAfterMs)
        expect(delay).toBeLessThanOrEqual(retryAfterMs + 30_000)
      },
    ),
  )
})

it('a backoff respects at most an hour that a server names: a timer over 2^31 ms would fire at once', () => {
  const delay = backoffMs(0, chance(1), Number.MAX_SAFE_INTEGER)
  expect(delay).toBeGreaterThanOrEqual(3_600_000)
  expect(delay).toBeLessThan(2 ** 31)
})

it('the backoffs of clients that were told the same time spread over half as much again', () => {
  expect(backoffMs(0, chance(0), 20_000)).toBe(20_000)
  expect(backoffMs(0, chance(1), 20_000)).toBe(30_000)
  expect(backoffMs(0, chance(1), 600_000)).toBe(630_000)
})
