import fc from 'fast-check'
import { expect, it } from 'vitest'

import { backoffMs } from './backoff.ts'

const chance = (value: number) => ({ random: () => value })

it('doubles what chance may take, up to the cap', () => {
  const most = Array.from({ length: 9 }, (_, attempt) => backoffMs(attempt, chance(1)))
  expect(most).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000])
})

it('spreads over the whole range, and is never nothing', () => {
  expect(backoffMs(3, chance(0))).toBe(100)
  expect(backoffMs(3, chance(0.5))).toBe(4000)
})

it('[ER3] never comes before the time that the server named', () => {
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

it('comes at last, whatever a server names: a timer takes 2^31 ms, and fires at once beyond', () => {
  const delay = backoffMs(0, chance(1), Number.MAX_SAFE_INTEGER)
  expect(delay).toBeGreaterThanOrEqual(3_600_000)
  expect(delay).toBeLessThan(2 ** 31)
})

it('spreads those whom the server told the same time over half as much again', () => {
  expect(backoffMs(0, chance(0), 20_000)).toBe(20_000)
  expect(backoffMs(0, chance(1), 20_000)).toBe(30_000)
  expect(backoffMs(0, chance(1), 600_000)).toBe(630_000)
})
