import type { JsonValue, Presence } from '@t69/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { othersIn, parsePresence, peopleByChat, presenceState } from './presence.ts'

let connections = 0
function tab(id: string, state: JsonValue, name = id): Presence {
  return { connectionId: `c${connections++}`, user: { id: id as Presence['user']['id'], name }, state }
}

test('a tab reads back what another shows of itself', () => {
  const shown = { chat: 't1', typing: 't1', replying: 't2' }
  expect(parsePresence(presenceState(shown))).toEqual(shown)
  expect(presenceState({ chat: null, typing: undefined })).toEqual({ chat: null })
})

test('whatever a member shows of themselves, it is read as ids of chats or as nothing', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const state = JSON.parse(JSON.stringify(value)) as JsonValue
      const { chat, typing, replying } = parsePresence(state)
      for (const id of [chat ?? '', typing ?? '', replying ?? '']) {
        expect(typeof id).toBe('string')
        expect(id.length).toBeLessThanOrEqual(64)
      }
    }),
  )
  expect(parsePresence({ chat: 'x'.repeat(60_000), typing: ['t1'], replying: '' })).toEqual({ chat: null })
})

test('people are counted once in a chat, however many tabs they have open', () => {
  const chats = peopleByChat([
    tab('anna', { chat: 't1' }),
    tab('anna', { chat: 't1', typing: 't1' }),
    tab('ben', { chat: 't2', replying: 't1' }),
    tab('cleo', null),
  ])
  const ids = (people: readonly { readonly id: string }[] = []) => people.map(({ id }) => id)
  expect(ids(chats.get('t1')?.here)).toEqual(['anna'])
  expect(ids(chats.get('t1')?.typing)).toEqual(['anna'])
  expect(ids(chats.get('t1')?.replying)).toEqual(['ben'])
  expect(ids(chats.get('t2')?.here)).toEqual(['ben'])
  expect(chats.size).toBe(2)
})

test('somebody with several tabs is where they type, or else in the chat of the reader', () => {
  const present = [
    tab('ben', { chat: 't2' }),
    tab('ben', { chat: 't1' }),
    tab('ben', null),
    tab('cleo', { chat: 't1' }),
    tab('cleo', { chat: 't3', typing: 't3' }),
    tab('me', { chat: 't1' }),
  ]
  expect(othersIn(present, 'me', 't1')).toEqual([
    { id: 'ben', name: 'ben', chat: 't1' },
    { id: 'cleo', name: 'cleo', chat: 't3' },
  ])
  expect(othersIn(present, null, null)).toHaveLength(3)
})

test('a name of any length is one line on screen', () => {
  const [person] = othersIn([tab('ben', null, 'B'.repeat(100_000))], null, null)
  expect(person!.name.length).toBeLessThanOrEqual(200)
})
