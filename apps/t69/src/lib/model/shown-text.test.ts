import { expect, test } from 'vitest'

import { shownLine, shownStart } from './shown-text.ts'

const halfMegabyte = 500_000

test('what people write is shown as it is', () => {
  for (const text of ['', 'Hello', 'שָׁלוֹם', 'नमस्ते दुनिया', 'བསྒྲུབས', '👨‍👩‍👧', 'a\n\nb'.repeat(10)]) {
    expect(shownLine(text)).toBe(text)
    expect(shownStart(text)).toEqual({ text, isCut: false })
  }
  const reply = 'A long reply, line by line.\n'.repeat(700)
  expect(shownStart(reply)).toEqual({ text: reply, isCut: false })
})

test('a wall of text, of lines or of accents is shown from its start, up to a limit', () => {
  const walls = [
    '\n'.repeat(halfMegabyte),
    'x'.repeat(halfMegabyte),
    `e${'\u0301'.repeat(halfMegabyte)}`,
    '😀'.repeat(200_000),
  ]
  for (const wall of walls) {
    const { text, isCut } = shownStart(wall)
    expect(isCut).toBe(true)
    expect(text.length).toBeLessThanOrEqual(20_000)
    expect(text.split('\n').length).toBeLessThanOrEqual(1_000)
    expect(text.isWellFormed()).toBe(true)
    expect(text).not.toMatch(/\p{M}{9}/u)
    const line = shownLine(wall)
    expect(line.length).toBeLessThanOrEqual(200)
    expect(line.isWellFormed()).toBe(true)
    expect(line).not.toMatch(/\p{M}{9}/u)
  }
})

test('short text with towers of accents is shown whole, with fewer of them', () => {
  expect(shownStart(`e${'\u0301'.repeat(100)}!`)).toEqual({ text: `e${'\u0301'.repeat(8)}!`, isCut: false })
  expect(shownLine(`e${'\u0301'.repeat(100)}!`)).toBe(`e${'\u0301'.repeat(8)}!`)
})

test('a reply that grows is shown as far as a model writes at once', () => {
  const reply = 'A long reply, line by line.\n'.repeat(7_000)
  expect(shownStart(reply, true)).toEqual({ text: reply, isCut: false })
  for (const wall of ['\n'.repeat(halfMegabyte), 'x'.repeat(halfMegabyte)]) {
    const { text, isCut } = shownStart(wall, true)
    expect(isCut).toBe(true)
    expect(text.length).toBeLessThanOrEqual(300_000)
    expect(text.split('\n').length).toBeLessThanOrEqual(20_000)
  }
})
