import { expect, test } from 'vitest'

import { turnsOf } from './chat-history.ts'

const user = (text: string) => ({ role: 'user', text }) as const
const reply = (text: string) => ({ role: 'assistant', text }) as const

test('turns alternate, and begin and end with people', () => {
  expect(turnsOf([user('one'), reply('two'), user('three')])).toEqual([
    user('one'),
    reply('two'),
    user('three'),
  ])
})

test('questions that nobody answered are one turn with the next one', () => {
  const refused = reply('')
  expect(
    turnsOf([user('one'), refused, user('two'), { role: 'error', text: 'No key' }, user('three')]),
  ).toEqual([user('one\n\ntwo\n\nthree')])
})

test('a reply that is to go on is followed by a request to do so, and is one turn with what continued it', () => {
  expect(turnsOf([user('one'), reply('tw')])).toEqual([
    user('one'),
    reply('tw'),
    user('Go on exactly where you stopped, without repeating anything.'),
  ])
  const cut = { ...reply('tw'), outcome: 'cut' } as const
  const done = { ...reply('o'), outcome: 'done' } as const
  expect(turnsOf([user('one'), cut, done, reply('three'), user('four')])).toEqual([
    user('one'),
    reply('two\n\nthree'),
    user('four'),
  ])
})

test('a chat that begins with a reply begins with the silence before it', () => {
  expect(turnsOf([reply('Hello'), user('Hi')])).toEqual([user('…'), reply('Hello'), user('Hi')])
  expect(turnsOf([])).toEqual([user('…')])
})
