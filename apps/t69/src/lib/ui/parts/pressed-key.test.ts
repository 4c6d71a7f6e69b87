import { expect, test } from 'vitest'

import { pressedKey } from './pressed-key.ts'

test.each([
  ['a key by itself counts', { key: 'Enter', isComposing: false, keyCode: 13 }, 'Enter'],
  [
    'the key that ends a word in Chromium and Firefox does not',
    { key: 'Enter', isComposing: true, keyCode: 229 },
    null,
  ],
  ['nor in Firefox without the key code', { key: 'Enter', isComposing: true, keyCode: 13 }, null],
  [
    'nor in Safari, where the word has ended already',
    { key: 'Enter', isComposing: false, keyCode: 229 },
    null,
  ],
  ['nor the key that gives the word up', { key: 'Escape', isComposing: true, keyCode: 229 }, null],
])('%s', (_what, event, key) => {
  expect(pressedKey(event)).toBe(key)
})
