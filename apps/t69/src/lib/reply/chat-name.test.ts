import { expect, test } from 'vitest'

import { titleFrom } from '../model/chat-tree.ts'
import { isCutFrom, nameIn } from './chat-name.ts'

test('only the cut start of a first message gives way to another title', () => {
  const long = 'How do I bake bread at home without a machine, and which flour is the best for that?'
  expect(isCutFrom(titleFrom(long), long)).toBe(true)
  expect(isCutFrom('Bread', 'Bread\n\nHow do I bake it?')).toBe(true)
  // A short message is a title, and so is what somebody chose.
  expect(isCutFrom('How do I bake bread?', ' How do I bake bread?\n')).toBe(false)
  expect(isCutFrom('Baking', long)).toBe(false)
})

test.each([
  ['Bread at home', 'Bread at home'],
  ['"Bread at home."', 'Bread at home'],
  ['**Bread at home**\n\nI chose it because…', 'Bread at home'],
  ['# Brot backen', 'Brot backen'],
  ['  \n', null],
  ['“”', null],
])('the name in the answer %j is %j', (answer, name) => {
  expect(nameIn(answer)).toBe(name)
})

test('an answer of endless marks is read as far as an answer may go', () => {
  expect(nameIn(`Bread${'*'.repeat(500_000)}x`)).toBe('Bread')
})
