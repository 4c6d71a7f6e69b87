import { expect, test } from 'vitest'

import { createMatcher, fold } from './matcher.ts'

const texts = [
  'Please water the garden',
  'The bread needs more water than flour',
  'Grüße aus Köln',
  '今日は天気がいいですね',
  'مرحبا بالعالم',
  'Привет, мир',
  'नमस्ते दुनिया',
  'const total = rows.reduce((sum, row) => sum + row.price, 0)',
]

function found(query: string): string[] {
  return createMatcher(query)
    .filter(texts.map(fold))
    .map((index) => texts[index]!)
}

test('words are found in any order, by their beginnings and in their midst', () => {
  expect(found('garden water')).toEqual([texts[0]])
  expect(found('wat')).toEqual([texts[0], texts[1]])
  expect(found('ater gard')).toEqual([texts[0]])
  expect(found('water wine')).toEqual([])
})

test('one typing error a word does not matter', () => {
  for (const query of ['gadren', 'garrden', 'gaden', 'gerden', 'watre gardn'])
    expect(found(query)).toEqual([texts[0]])
  expect(found('Привте')).toEqual([texts[5]])
})

test('neither case nor accents matter', () => {
  expect(found('koln GRUSSE')).toEqual([])
  expect(found('KOLN')).toEqual([texts[2]])
  expect(found('köln grü')).toEqual([texts[2]])
  expect(found('ПРИВЕТ')).toEqual([texts[5]])
})

test('texts are found in scripts of all kinds', () => {
  expect(found('天気')).toEqual([texts[3]])
  expect(found('عالم')).toEqual([texts[4]])
  expect(found('दुनिया')).toEqual([texts[6]])
})

test('signs of code and of regular expressions are no error', () => {
  expect(found('rows.reduce((sum')).toEqual([texts[7]])
  for (const query of ['(', '[a-', '\\', '-', '"', '🙂', '.*', "'", "it's", '\u0000'])
    expect(Array.isArray(found(query))).toBe(true)
  expect(createMatcher(' … ').isEmpty).toBe(true)
})

test('what was meant exactly fits better than what only looks like it', () => {
  const fit = (query: string, text: string) => createMatcher(query).fitOf(fold(text))
  expect(fit('wat', 'Please water')).toBe(0)
  expect(fit('ater', 'Please water')).toBe(1)
  expect(fit('watre', 'Please water')).toBe(2)
})

test('the places of the words are those of the original text', () => {
  const places = (query: string, text: string) =>
    createMatcher(query)
      .rangesIn(fold(text))
      .map(([from, to]) => text.slice(from, to))
  expect(places('garden wat', texts[0]!)).toEqual(['wat', 'garden'])
  expect(places('koln', texts[2]!)).toEqual(['Köln'])
  expect(places('İx', 'ok İstanbul x')).toHaveLength(0)
  expect(places('gadren', texts[0]!)).toEqual(['garden'])
  expect(places('天気', texts[3]!)).toEqual(['天気'])
})

test('a folded text has the length of the original', () => {
  for (const text of ['İstanbul', 'ẞ', 'ﬁ', 'Straße', '😀é', '\ud800x', 'Ǆ'])
    expect(fold(text)).toHaveLength(text.length)
})
