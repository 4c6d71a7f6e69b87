import { expect, test } from 'vitest'

import { deepFreeze } from './deep-freeze.ts'

test('a value nested deeper than calls can be, a cycle, and binary data are no trouble', () => {
  let deep: unknown[] = []
  for (let level = 0; level < 100_000; level++) deep = [deep]
  const cycle: Record<string, unknown> = { bytes: new Uint8Array(1) }
  cycle['self'] = cycle
  for (const value of [deep, cycle]) {
    deepFreeze(value)
    expect(Object.isFrozen(value)).toBe(true)
  }
  deepFreeze(null)
  deepFreeze('text')
})
