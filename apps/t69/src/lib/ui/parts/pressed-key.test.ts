import { expect, test } from 'vitest'

import { pressedKey, pressedLetter } from './pressed-key.ts'

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

test.each([
  ['the letter of a Latin key is its own, wherever it stands', 'Z', 'KeyY', 'z'],
  ['that of a Cyrillic one is the Latin one in its place', 'л', 'KeyK', 'k'],
  ['so is that of an Arabic one, which may be two', 'لا', 'KeyB', 'b'],
  ['so is that of a Thai one, which may be a mark', '\u0E34', 'KeyB', 'b'],
  ['a Latin letter of one language alone is its own too', 'ö', 'KeyX', 'ö'],
  ['and a sign stands for no letter, as on a Dvorak keyboard', ';', 'KeyZ', ';'],
])('%s', (_what, key, code, letter) => {
  expect(pressedLetter({ key, code, isComposing: false, keyCode: 0 })).toBe(letter)
})
