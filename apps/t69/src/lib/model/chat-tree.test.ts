import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import {
  addMessage,
  addVersion,
  layOutChat,
  messageOf,
  showToAll,
  showVersion,
  threadOf,
  titleFrom,
  writingOf,
} from './chat-tree.ts'
import { childrenNamed, type Tree } from './tree.ts'

async function chat() {
  const space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'A chat')
  return { tree, [Symbol.asyncDispose]: () => space[Symbol.asyncDispose]() }
}

let now = 1_000
function message(text: string, createdAt = (now += 1_000)) {
  return { role: 'user' as const, text, createdAt, author: 'Anna', authorId: 'a1' }
}

type Operations = Parameters<Tree['merge']>[0]

function texts(tree: Tree): string[] {
  return threadOf(tree).map(({ id }) => messageOf(tree.getVertex(id)!).text)
}

test('a reply begins without a stored text, which could arrive late and hide the text shown so far', async () => {
  await using it = await chat()
  const id = addMessage(it.tree, { role: 'assistant', text: '', createdAt: now })
  const reply = it.tree.getVertex(id)!
  expect(reply.getProperty('text')).toBeUndefined()
  expect(messageOf(reply)).toMatchObject({ text: '', inProgress: false })
  reply.setTransientProperty('text', 'It')
  expect(messageOf(reply)).toMatchObject({ text: 'It', inProgress: true })
})

test('messages form a chain, each the child of the previous one', async () => {
  await using it = await chat()
  const ids = ['one', 'two', 'three'].map((text) => addMessage(it.tree, message(text)))
  expect(texts(it.tree)).toEqual(['one', 'two', 'three'])
  expect(ids.map((id) => it.tree.getVertex(id)!.parentId)).toEqual([
    childrenNamed(it.tree.root!, 'messages')[0]!.id,
    ids[0],
    ids[1],
  ])
})

test('a message stores its author and time in the properties that t69 reads', async () => {
  await using it = await chat()
  const id = addMessage(it.tree, message('hello', 5))
  expect(it.tree.getVertex(id)!.getProperties()).toMatchObject({
    name: 'message',
    role: 'user',
    text: 'hello',
    createdAt: 5,
    author: 'Anna',
    authorId: 'a1',
  })
})

test('an edited message shows its new version, and going back shows what followed the old one', async () => {
  await using it = await chat()
  for (const text of ['one', 'two', 'three']) addMessage(it.tree, message(text))
  addVersion(it.tree, threadOf(it.tree)[1]!, message('two, better'))
  expect(texts(it.tree)).toEqual(['one', 'two, better'])
  const entry = threadOf(it.tree)[1]!
  expect(entry.versions).toHaveLength(2)
  addVersion(it.tree, entry, message('two, best'))
  expect(texts(it.tree)).toEqual(['one', 'two, best'])
  const again = threadOf(it.tree)[1]!
  expect(again.versions).toHaveLength(3)
  showVersion(it.tree, again, again.versions[0]!)
  expect(texts(it.tree)).toEqual(['one', 'two', 'three'])
})

test('a reader sees the version of their choice, and everyone else what everyone sees', async () => {
  await using it = await chat()
  for (const text of ['one', 'two', 'three']) addMessage(it.tree, message(text))
  const first = threadOf(it.tree)[1]!
  addVersion(it.tree, first, message('two, better'))
  const mine = new Set([first.id])
  const threadFor = (chosen: ReadonlySet<string>): string[] =>
    threadOf(it.tree, undefined, chosen).map(({ id }) => messageOf(it.tree.getVertex(id)!).text)
  expect(threadFor(mine)).toEqual(['one', 'two', 'three'])
  expect(texts(it.tree)).toEqual(['one', 'two, better'])
  // What somebody writes below their own version is shown to everyone who has chosen no other.
  const thread = threadOf(it.tree, undefined, mine)
  const id = addMessage(it.tree, message('four'), thread.at(-1)!.id)
  showToAll(it.tree, thread, id)
  expect(texts(it.tree)).toEqual(['one', 'two', 'three', 'four'])
  // A choice of what is not there counts as none.
  expect(threadFor(new Set(['nothing']))).toEqual(['one', 'two', 'three', 'four'])
})

test('messages written after the same one at the same time are all shown, one chain after the other', async () => {
  await using it = await chat()
  const first = addMessage(it.tree, message('one'))
  const mine = addMessage(it.tree, message('mine'), first)
  addMessage(it.tree, message('mine, on'), mine)
  addMessage(it.tree, message('yours'), first)
  expect(texts(it.tree)).toEqual(['one', 'mine', 'mine, on', 'yours'])
  addMessage(it.tree, message('then'))
  expect(texts(it.tree).at(-1)).toBe('then')
})

test('choosing a version hides no message that someone else wrote beside it', async () => {
  await using it = await chat()
  const first = addMessage(it.tree, message('one'))
  addMessage(it.tree, message('mine'), first)
  addMessage(it.tree, message('yours'), first)
  addVersion(it.tree, threadOf(it.tree)[1]!, message('mine, better'))
  expect(new Set(texts(it.tree))).toEqual(new Set(['mine, better', 'one', 'yours']))
  const entry = threadOf(it.tree).find(({ versions }) => versions.length > 1)!
  showVersion(it.tree, entry, entry.versions[0]!)
  expect(new Set(texts(it.tree))).toEqual(new Set(['mine', 'one', 'yours']))
})

test('edited messages that have only `main`, as in older t69, show one version, also after another edit', async () => {
  await using it = await chat()
  const messages = childrenNamed(it.tree.root!, 'messages')[0]!
  messages.newChild({ _n: 'message', role: 'user', text: 'old', createdAt: 1 })
  messages.newChild({ _n: 'message', role: 'user', text: 'newer', createdAt: 2, main: true })
  expect(texts(it.tree)).toEqual(['newer'])
  addVersion(it.tree, threadOf(it.tree)[0]!, message('newest'))
  expect(texts(it.tree)).toEqual(['newest'])
  expect(threadOf(it.tree)[0]!.versions).toHaveLength(3)
})

test('a chat laid out by the t69 of June 2025 can be read and continued', async () => {
  await using it = await chat()
  const tree = it.tree
  for (const child of tree.root!.children) child.delete()
  const messages = tree.root!.newChild({ _n: 'messages' })
  messages.newChild({ _n: 'message', role: 'user', text: 'June', createdAt: 1 })
  addMessage(tree, message('November'))
  expect(texts(tree)).toEqual(['June', 'November'])
  expect(childrenNamed(tree.root!, 'messages')).toHaveLength(1)
})

test('chat parts that two devices both created are shown together', async () => {
  await using it = await chat()
  addMessage(it.tree, message('one'))
  const other = it.tree.root!.newNamedChild('messages')
  other.newNamedChild('message', { role: 'user', text: 'two', createdAt: (now += 1_000) })
  expect(texts(it.tree)).toEqual(['one', 'two'])
})

test('the thread of a long chat is read without recursion', async () => {
  await using it = await chat()
  let after: string | undefined
  for (let index = 0; index < 3_000; index++) after = addMessage(it.tree, message(String(index)), after)
  expect(threadOf(it.tree)).toHaveLength(3_000)
})

test('a message may have more versions than a call takes arguments', async () => {
  await using it = await chat()
  const messages = childrenNamed(it.tree.root!, 'messages')[0]!
  const first = addMessage(it.tree, message('asked'))
  const many = Array.from({ length: 130_000 }, (_, index) => `version${index}`)
  it.tree.merge(
    many.flatMap((targetId, index): Operations => [
      { id: { counter: 1_000 + 2 * index, peerId: '1' }, targetId, parentId: messages.id },
      {
        id: { counter: 1_001 + 2 * index, peerId: '1' },
        targetId,
        key: 'versionOf',
        value: first,
        transient: false,
      },
    ]),
  )
  const [entry] = threadOf(it.tree)
  expect(entry?.versions).toHaveLength(many.length + 1)
})

test('a title is the first line of a message, cut at a word', () => {
  expect(titleFrom('  Hello\nworld')).toBe('Hello')
  const long = 'A message that is far too long to be the title of a chat in a sidebar of any size'
  expect(titleFrom(long)).toBe('A message that is far too long to be the title of a chat in…')
  expect(titleFrom('x'.repeat(100))).toHaveLength(61)
})

test.each([
  ['# Bread and **butter**', 'Bread and butter'],
  ['> Why does `npm ci` fail?', 'Why does npm ci fail?'],
  ['2 ** 3 ** 4 and a_b__c', '2 ** 3 ** 4 and a_b__c'],
  ['#', '#'],
  ['****', '****'],
])('the title of a chat has no marks of Markdown: %s', (text, title) => {
  expect(titleFrom(text)).toBe(title)
})

test('a time that cannot be shown counts as no time', async () => {
  await using it = await chat()
  const id = addMessage(it.tree, message('hello'))
  const vertex = it.tree.getVertex(id)!
  for (const createdAt of [1e300, -1e300, 'not a date', { toString: 1, valueOf: 1 }]) {
    vertex.setProperties({ createdAt, _c: { toString: 1, valueOf: 1 } })
    expect(messageOf(vertex).createdAt).toBe(0)
    expect(texts(it.tree)).toEqual(['hello'])
  }
})

test.each([
  ['an odd run of emoji', `a${'😂'.repeat(40)}`, `a${'😂'.repeat(29)}…`],
  ['letters and an emoji at the limit', `${'漢'.repeat(59)}😀${'字'.repeat(10)}`, `${'漢'.repeat(59)}…`],
  ['a family at the limit', `${'x'.repeat(55)}👨‍👩‍👧 and more`, `${'x'.repeat(55)}…`],
])('a title is cut where a character ends: %s', (_what, text, title) => {
  expect(titleFrom(text)).toBe(title)
})

test('text with half a character is stored, with a sign in its place', async () => {
  await using it = await chat()
  const id = addMessage(it.tree, {
    role: 'user',
    text: 'so \ud83d far',
    createdAt: now,
    author: 'Anna \ud83d',
  })
  expect(messageOf(it.tree.getVertex(id)!)).toMatchObject({ text: 'so \ufffd far', author: 'Anna \ufffd' })
  layOutChat(it.tree, 'Half \ude02')
  expect(it.tree.root?.getProperty('title')).toBe('Half \ufffd')
})

test('a message is written by whoever wrote its text last, and nobody can show another author over it', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const id = addMessage(tree, { role: 'assistant', text: '', createdAt: 1, author: 'Home', authorId: 'anna' })
  expect(writingOf(tree, id)).toEqual(tree.writerOf(id, 'role'))
  tree.getVertex(id)!.setProperty('text', 'Hello')
  expect(writingOf(tree, id)).toEqual(tree.writerOf(id, 'text'))
  const eve = tree.replicate('3')
  eve.getVertex(id)!.setProperty('text', 'You are fired')
  tree.merge(eve.getAllOps())
  expect(writingOf(tree, id)?.peerId).toBe('3')
  for (const key of ['author', 'authorId', 'role']) tree.showTransient(id, key, 'boss')
  expect(messageOf(tree.getVertex(id)!)).toMatchObject({
    role: 'assistant',
    author: 'Home',
    authorId: 'anna',
  })
  expect(writingOf(tree, 'nothing')).toBeUndefined()
})
