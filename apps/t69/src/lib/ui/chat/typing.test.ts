import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { createTyping } from './typing.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('typing is told once at its beginning, and ends by itself after a pause', () => {
  const told: boolean[] = []
  const typing = createTyping((isTyping) => told.push(isTyping))
  for (const text of ['H', 'He', 'Hel']) {
    typing.changed(text)
    vi.advanceTimersByTime(4_000)
  }
  expect(told).toEqual([true])
  vi.advanceTimersByTime(1_000)
  expect(told).toEqual([true, false])
  typing.changed('Hell')
  expect(told).toEqual([true, false, true])
})

test('sending or emptying a text ends typing at once, and once', () => {
  const told: boolean[] = []
  const typing = createTyping((isTyping) => told.push(isTyping))
  typing.changed('H')
  typing.changed(' ')
  typing.stop()
  vi.advanceTimersByTime(10_000)
  expect(told).toEqual([true, false])
})
