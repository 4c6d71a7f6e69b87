import { expect, test } from 'vitest'

import type { Message } from './chat-tree.ts'
import { outcomeText } from './outcome-text.ts'

const message = (fields: Partial<Message>) => ({
  text: '',
  thinking: '',
  outcome: undefined,
  why: undefined,
  refusal: undefined,
  status: undefined,
  retryAt: undefined,
  host: 'ai.example',
  ...fields,
})
const words = (fields: Partial<Message>, isLost = false) => outcomeText(message(fields), isLost, 'en-GB')

test('a reply that said all it had to say, or is being written, needs no words', () => {
  expect(words({ outcome: 'done', text: 'Hello' })).toBeNull()
  expect(words({ text: 'Hel' })).toBeNull()
})

test.each<[string, Partial<Message>, string]>([
  ['stopped with text', { outcome: 'stopped', text: 'a' }, 'Stopped here.'],
  ['stopped without', { outcome: 'stopped' }, 'Stopped before it said anything.'],
  ['cut by its length', { outcome: 'cut', why: 'length', text: 'a' }, 'limit of its length'],
  ['thoughts up to the limit', { outcome: 'cut', why: 'length', thinking: 'a' }, 'before it gave an answer'],
  ['filtered', { outcome: 'cut', why: 'filter' }, 'A filter of the provider'],
  ['cut by the network', { outcome: 'cut', why: 'network', text: 'a' }, 'connection to ai.example broke off'],
  ['no way there', { outcome: 'lost', why: 'network' }, 'no way to ai.example'],
  ['a device gone', { outcome: 'lost', why: 'device' }, 'is gone'],
  ['nothing said', { outcome: 'refused' }, 'The answer was empty.'],
  ['a status alone', { outcome: 'refused', status: 502 }, 'ai.example answered with error 502.'],
  ['a wrong key', { outcome: 'refused', status: 401, refusal: 'No' }, 'does not accept the key'],
  ['thoughts only', { outcome: 'done', thinking: 'a' }, 'gave no answer'],
])('%s is told', (_what, fields, text) => {
  expect(words(fields)?.text).toContain(text)
})

test('a refusal is quoted in the provider’s own words', () => {
  expect(words({ outcome: 'refused', refusal: 'No credit', status: 402 })).toEqual({
    text: 'ai.example answered 402:',
    quote: 'No credit',
    isProblem: true,
  })
  // Some say it in a reply that is none.
  expect(words({ outcome: 'refused', refusal: 'No credit' })?.text).toBe('ai.example gave no reply:')
  const retryAt = new Date(2026, 0, 1, 10, 30, 5).getTime()
  expect(words({ outcome: 'refused', refusal: 'Slow down', status: 429, retryAt })).toMatchObject({
    text: 'ai.example takes no more requests until 10:30:05.',
    quote: 'Slow down',
  })
})

test('a reply that nobody writes any more is lost', () => {
  expect(words({}, true)?.text).toBe('The device that was asked for this reply is gone.')
  expect(words({ text: 'so far' }, true)?.text).toBe(
    'The device that wrote this reply went away before its end.',
  )
})
