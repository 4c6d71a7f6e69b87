import { expect, test } from 'vitest'

import { createDoubleClicks } from './double-click.ts'

test('the second press of a double click is one soon after the first, in its place, and not by a key', () => {
  const isSecond = createDoubleClicks()
  const press = (timeStamp: number, clientX = 100, detail = 1) =>
    isSecond({ timeStamp, clientX, clientY: 50, detail })
  expect(press(1_000)).toBe(false)
  expect(press(1_200)).toBe(true)
  expect(press(1_800)).toBe(false)
  expect(press(1_900, 160)).toBe(false)
  expect([press(3_000, 0, 0), press(3_100, 0, 0)]).toEqual([false, false])
})
