import { expect, test } from 'vitest'

import { sideOf } from './side-of.ts'

const pane = { left: 100, top: 50, width: 400, height: 200 }

test('a tab that is dropped near an edge of a pane splits it there, and one in its middle goes into it', () => {
  const side = (x: number, y: number, isRightToLeft = false) => sideOf(pane, { x, y }, isRightToLeft)
  expect(side(110, 150)).toBe('start')
  expect(side(490, 150)).toBe('end')
  expect(side(300, 60)).toBe('top')
  expect(side(300, 245)).toBe('bottom')
  expect(side(300, 150)).toBeNull()
  // The nearer edge, in parts of the pane.
  expect(side(140, 60)).toBe('top')
  expect(side(110, 150, true)).toBe('end')
  expect(side(490, 150, true)).toBe('start')
})
