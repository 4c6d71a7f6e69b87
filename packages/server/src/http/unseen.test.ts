import { EventEmitter } from 'node:events'

import { expect, it } from 'vitest'

import { createManualRuntime } from '../testing/manual-runtime.ts'
import { unseen } from './unseen.ts'

it('work that must not show begins some time after the answer, and not always the same', () => {
  const begunAt = new Set<number>()
  for (let round = 0; round < 20; round++) {
    const runtime = createManualRuntime(0)
    const raw = new EventEmitter()
    let isDone = false
    unseen({ raw }, runtime.setTimer, () => (isDone = true))
    runtime.advance(10_000)
    expect(isDone).toBe(false)
    raw.emit('close')
    const answered = runtime.monotonic()
    while (!isDone) runtime.advance(1)
    begunAt.add(runtime.monotonic() - answered)
  }
  expect(Math.min(...begunAt)).toBeGreaterThanOrEqual(200)
  expect(Math.max(...begunAt)).toBeLessThanOrEqual(2_000)
  expect(begunAt.size).toBeGreaterThan(5)
})
