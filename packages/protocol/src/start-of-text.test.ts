import fc from 'fast-check'
import { expect, test } from 'vitest'

import { firstCharacter, startOfText } from './start-of-text.ts'

const family = '👨‍👩‍👧'

test.each([
  ['short text stays', 'Hello', 60, 'Hello'],
  ['plain text is cut at the limit', 'Hello', 4, 'Hell'],
  ['an emoji of two code units stays whole or goes', 'a😂😂', 4, 'a😂'],
  ['an emoji of several code points stays whole or goes', `ab${family}c`, 8, 'ab'],
  ['an emoji that ends at the limit stays', `ab${family}c`, 10, `ab${family}`],
  ['a letter keeps its accent', 'cafe\u0301s', 4, 'caf'],
  ['a flag is not cut into another one', '🇩🇪🇫🇷', 6, '🇩🇪'],
  ['an emoji longer than the limit is cut between code points', '😂😂', 1, ''],
  ['nothing is left of no room', 'Hello', 0, ''],
])('%s', (_what, text, maxLength, start) => {
  expect(startOfText(text, maxLength)).toBe(start)
})

test('half a pair at the end is left out, since the other half may follow, and any other is replaced', () => {
  expect(startOfText('so far \ud83d')).toBe('so far ')
  expect(startOfText('so far \ud83d and on')).toBe('so far \ufffd and on')
  expect(startOfText('\ude02 so far')).toBe('\ufffd so far')
})

test('one character with more accents than the limit is cut, and not kept whole', () => {
  const tower = `a${'\u0301'.repeat(1000)}`
  expect(startOfText(tower, 60)).toBe(tower.slice(0, 60))
})

test('every start of every text is well-formed, within the limit', () => {
  const anyText = fc.string({
    unit: fc.oneof(fc.constantFrom('😂', family, '\ud83d', '\ude02', 'e\u0301'), fc.string()),
  })
  fc.assert(
    fc.property(anyText, fc.nat({ max: 40 }), (text, maxLength) => {
      const start = startOfText(text, maxLength)
      expect(start.isWellFormed()).toBe(true)
      expect(start.length).toBeLessThanOrEqual(maxLength)
      expect(text.toWellFormed().startsWith(start)).toBe(true)
    }),
  )
})

test('the first character of a name is what people see as one', () => {
  expect(['Anna', '😂😂', `${family}!`, 'e\u0301a', '', '\ud83d'].map(firstCharacter)).toEqual([
    'A',
    '😂',
    family,
    'e\u0301',
    '',
    '\ufffd',
  ])
})
