import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { addMessage, layOutChat, messageOf, writingOf } from './chat-tree.ts'
import { endReply, isPartDue, storePart, writing } from './reply-state.ts'

const by = { providerId: 'p', model: 'small', host: 'ai.example', configId: 'default' }

async function reply() {
  const space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'A chat')
  const question = addMessage(tree, { role: 'user', text: 'Why?', createdAt: 1 })
  const id = addMessage(tree, { role: 'assistant', text: '', createdAt: 2, by }, question)
  const vertex = tree.getVertex(id)!
  return { tree, id, vertex, question, [Symbol.asyncDispose]: () => space[Symbol.asyncDispose]() }
}

test('a reply is in progress while a device shows that it writes it, and open when that device is gone', async () => {
  await using it = await reply()
  expect(messageOf(it.vertex)).toMatchObject({ isOpen: true, inProgress: false, outcome: undefined, ...by })
  it.vertex.setTransientProperty('inProgress', writing)
  expect(messageOf(it.vertex)).toMatchObject({ isOpen: true, inProgress: true })
  // What the other devices do when the connection that showed it is gone.
  it.tree.showTransient(it.id, 'inProgress', undefined)
  expect(messageOf(it.vertex)).toMatchObject({ isOpen: true, inProgress: false })
})

test('the end of a reply is data beside its text', async () => {
  await using it = await reply()
  it.vertex.setTransientProperty('inProgress', writing)
  it.vertex.setTransientProperty('text', 'Because')
  endReply(it.vertex, { text: 'Because', thinking: 'Hm.' }, { outcome: 'cut', why: 'length' })
  expect(messageOf(it.vertex)).toMatchObject({
    text: 'Because',
    thinking: 'Hm.',
    outcome: 'cut',
    why: 'length',
    inProgress: false,
    isOpen: false,
  })
})

test('a reply without words has none', async () => {
  await using it = await reply()
  endReply(it.vertex, { text: '', thinking: '' }, { outcome: 'refused', refusal: 'No credit', status: 402 })
  expect(messageOf(it.vertex)).toMatchObject({
    text: '',
    outcome: 'refused',
    refusal: 'No credit',
    status: 402,
  })
  expect(it.vertex.getProperty('text')).toBeUndefined()
})

test('words that no value holds are made well-formed and cut, and the reply says so', async () => {
  await using it = await reply()
  const text = `${'é'.repeat(300_000)}\ud83d`
  endReply(it.vertex, { text, thinking: 'x'.repeat(600_000) }, { outcome: 'done', refusal: '\ude02' })
  const ended = messageOf(it.vertex)
  expect(ended).toMatchObject({ outcome: 'cut', why: 'length', refusal: '\ufffd' })
  expect(ended.text.length).toBeGreaterThan(250_000)
  expect(text.startsWith(ended.text)).toBe(true)
  expect(ended.thinking.length).toBeGreaterThan(500_000)
})

test('parts say what a reply has so far, until it has its whole text', async () => {
  await using it = await reply()
  storePart(it.vertex, 0, 'Be')
  storePart(it.vertex, 1, 'cause')
  expect(messageOf(it.vertex).text).toBe('Because')
  endReply(it.vertex, { text: 'Because not', thinking: '' }, { outcome: 'done' })
  expect(messageOf(it.vertex).text).toBe('Because not')
})

test('all parts of a text together are shorter than it, and at most an eighth of it is in none', () => {
  for (const length of [1_000, 2_001, 150_000, 500_000]) {
    let stored = 0
    for (let now = 0; now < length; now += 7) if (isPartDue(stored, now)) stored = now
    expect(stored).toBeLessThanOrEqual(length)
    expect(length - stored).toBeLessThan(Math.max(2_100, length / 8 + 8))
  }
})

test('whoever puts words into a reply is its author: into its text, a part, its thoughts or its refusal', async () => {
  for (const key of ['text', 'text.0', 'thinking', 'refusal']) {
    await using it = await reply()
    const eve = it.tree.replicate('3')
    eve.getVertex(it.id)!.setProperty(key, 'You are fired')
    it.tree.merge(eve.getAllOps())
    expect(writingOf(it.tree, it.id)?.peerId, key).toBe('3')
  }
})

test('a message of a person stays theirs, whatever a member writes beside its text', async () => {
  await using it = await reply()
  const eve = it.tree.replicate('3')
  eve.getVertex(it.question)!.setProperties({ thinking: 'You are fired', refusal: 'You are fired' })
  it.tree.merge(eve.getAllOps())
  expect(writingOf(it.tree, it.question)).toEqual(it.tree.writerOf(it.question, 'text'))
})

test('an error of t69 is a refusal in its own words', async () => {
  await using it = await reply()
  const id = addMessage(it.tree, { role: 'error', text: 'No API key found', createdAt: 3 })
  expect(messageOf(it.tree.getVertex(id)!)).toMatchObject({ outcome: 'refused', text: 'No API key found' })
})

test('what any client may write where an outcome should be counts as none', async () => {
  await using it = await reply()
  it.vertex.setProperties({
    outcome: 'fine',
    outcomeWhy: { a: 1 },
    refusal: 7,
    refusalStatus: 'x',
    retryAt: 1e300,
    thinking: [],
    model: null,
  })
  expect(messageOf(it.vertex)).toMatchObject({
    outcome: undefined,
    why: undefined,
    refusal: undefined,
    status: undefined,
    retryAt: undefined,
    thinking: '',
  })
})
