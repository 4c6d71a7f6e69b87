import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { addMessage, layOutChat, messageOf } from './chat-tree.ts'
import { matching, mentionBefore, mentionedIn, mentionsIn, type Mentionable } from './mentions.ts'
import { answersIn, isAsked, setAnswers } from './who-is-asked.ts'

const person = (id: string, name: string): Mentionable => ({ kind: 'person', id, name })
const ai: Mentionable = { kind: 'ai', id: '', name: 'AI' }
const known = [
  person('a', 'Anna'),
  person('al', 'Anna Lee'),
  person('b', 'Ben'),
  person('b2', 'ben'),
  person('ø', 'Øystein'),
  ai,
]

function ids(text: string): string[] {
  return mentionsIn(text, known).map(({ id, name }) => id || name)
}

test('a name after an @ is a mention, whatever its case, and of two that fit the longer one', () => {
  expect(ids('@Anna, can you?')).toEqual(['a'])
  expect(ids('ask (@anna lee)')).toEqual(['al'])
  expect(ids('@Anna Lee and @Anna')).toEqual(['al', 'a'])
  expect(ids('@øystein!')).toEqual(['ø'])
  expect(ids('@AI what is this?')).toEqual(['AI'])
})

test('two people of one name are both meant', () => {
  expect(ids('@Ben')).toEqual(['b', 'b2'])
})

test('an e-mail address, a part of a word and an unknown name are no mentions', () => {
  for (const text of ['x@anna.example', '@Annabel', '@ Anna', '@Zoe', 'Anna', '@'])
    expect(ids(text)).toEqual([])
})

test('a wall of @ takes a bounded number of looks and mentions', () => {
  const crowd = Array.from({ length: 400 }, (_, at) => person(`p${at}`, `P${at}x`))
  const text = `${crowd.map(({ name }) => `@${name}`).join(' ')} ${'@'.repeat(400_000)}`
  expect(mentionsIn(text, crowd)).toHaveLength(20)
})

test('what is typed after an @ is found before the caret, and is not where a word ends otherwise', () => {
  expect(mentionBefore('hi @an', 6)).toEqual({ start: 3, typed: 'an' })
  expect(mentionBefore('@', 1)).toEqual({ start: 0, typed: '' })
  expect(mentionBefore('@Anna Le and', 8)).toEqual({ start: 0, typed: 'Anna Le' })
  expect(mentionBefore('a@b', 3)).toBeNull()
  expect(mentionBefore('@Anna is here', 13)).toBeNull()
  expect(matching(known, 'le').map(({ id }) => id)).toEqual(['al'])
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, caret) => {
      const found = mentionBefore(text, caret)
      return found === null || text.slice(found.start, found.start + 1) === '@'
    }),
  )
})

test('a message says whom it mentions, and what a member writes there instead is read as nobody', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const message = { role: 'user' as const, text: '@Anna', createdAt: 1, mentions: ['a'] }
  const vertex = tree.getVertex(addMessage(tree, message))!
  expect(messageOf(vertex).mentions).toEqual(['a'])
  for (const value of ['a', { 0: 'a' }, [7, null], null]) {
    vertex.setProperty('mentions', value)
    expect(mentionedIn(vertex)).toEqual([])
  }
  vertex.setProperty(
    'mentions',
    Array.from({ length: 5_000 }, () => 'a'),
  )
  expect(mentionedIn(vertex)).toHaveLength(20)
})

test('the AI answers what is not to somebody else, or, where the chat says so, only what mentions it', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const anna = [person('a', 'Anna')]
  expect(answersIn(tree)).toBe('always')
  expect([[], anna, [ai], [...anna, ai]].map((mentioned) => isAsked('always', mentioned))).toEqual([
    true,
    false,
    true,
    true,
  ])
  setAnswers(tree, 'mentioned')
  expect(answersIn(tree)).toBe('mentioned')
  expect([[], anna, [ai]].map((mentioned) => isAsked('mentioned', mentioned))).toEqual([false, false, true])
  tree.root!.setProperty('answers', 'never')
  expect(answersIn(tree)).toBe('always')
})
