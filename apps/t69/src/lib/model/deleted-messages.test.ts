import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { addMessage, addVersion, layOutChat, messageOf, showVersion, threadOf } from './chat-tree.ts'
import { deletedMessagesOf, deleteMessage, restoreMessage } from './deleted-messages.ts'
import { storePart } from './reply-state.ts'
import type { Tree } from './tree.ts'

async function chat(...texts: string[]) {
  const space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'A chat')
  const ids = texts.map((text, at) => addMessage(tree, { role: 'user', text, createdAt: at }))
  return { tree, ids, [Symbol.asyncDispose]: () => space[Symbol.asyncDispose]() }
}

function texts(tree: Tree): string[] {
  return threadOf(tree).map(({ id }) => messageOf(tree.getVertex(id)!).text)
}

const mark = { at: 1_000, by: { id: 'a1', name: 'Anna' } }

test('a deleted message leaves the chat, those after it stay, and it comes back to its place', async () => {
  await using it = await chat('one', 'two', 'three')
  deleteMessage(it.tree, [it.ids[1]!], mark)
  expect(texts(it.tree)).toEqual(['one', 'three'])
  expect(deletedMessagesOf(it.tree)).toEqual([{ ids: [it.ids[1]], text: 'two', mark }])
  restoreMessage(it.tree, [it.ids[1]!])
  expect(texts(it.tree)).toEqual(['one', 'two', 'three'])
  expect(deletedMessagesOf(it.tree)).toEqual([])
})

test('the first and the last message can be deleted, and what is written next comes after them', async () => {
  await using it = await chat('one', 'two')
  for (const id of it.ids) deleteMessage(it.tree, [id], mark)
  expect(texts(it.tree)).toEqual([])
  addMessage(it.tree, { role: 'user', text: 'three', createdAt: 9 })
  expect(texts(it.tree)).toEqual(['three'])
  for (const { ids } of deletedMessagesOf(it.tree)) restoreMessage(it.tree, ids)
  expect(texts(it.tree)).toEqual(['one', 'two', 'three'])
})

test('a message is deleted in all its versions, and restored with them', async () => {
  await using it = await chat('one', 'two', 'three')
  addVersion(it.tree, threadOf(it.tree)[1]!, { role: 'user', text: 'two, better', createdAt: 5 })
  addMessage(it.tree, { role: 'user', text: 'then', createdAt: 6 })
  const entry = threadOf(it.tree)[1]!
  deleteMessage(it.tree, entry.versions, mark)
  expect(texts(it.tree)).toEqual(['one', 'then'])
  const [deleted] = deletedMessagesOf(it.tree)
  expect(deleted).toEqual({ ids: entry.versions, text: 'two, better', mark })
  restoreMessage(it.tree, deleted!.ids)
  expect(texts(it.tree)).toEqual(['one', 'two, better', 'then'])
  expect(threadOf(it.tree)[1]!.versions).toEqual(entry.versions)
})

test('of the versions of a message, a deleted one is not shown', async () => {
  await using it = await chat('one')
  const added = addVersion(it.tree, threadOf(it.tree)[0]!, {
    role: 'user',
    text: 'one, better',
    createdAt: 5,
  })
  deleteMessage(it.tree, [added], mark)
  expect(threadOf(it.tree)).toEqual([{ id: it.ids[0], versions: [it.ids[0]] }])
  restoreMessage(it.tree, [added])
  showVersion(it.tree, threadOf(it.tree)[0]!, it.ids[0]!)
  expect(texts(it.tree)).toEqual(['one'])
  expect(threadOf(it.tree)[0]!.versions).toHaveLength(2)
})

test('a mark that does not say when, or is not a mark, hides nothing', async () => {
  await using it = await chat('one')
  for (const value of [true, 7, 'x', {}, { at: 'now' }, { at: 1e300 }, [1]]) {
    it.tree.getVertex(it.ids[0]!)!.setProperty('deleted', value)
    expect(texts(it.tree)).toEqual(['one'])
  }
  it.tree.getVertex(it.ids[0]!)!.setProperty('deleted', { at: 5, by: { id: 7 } })
  expect(deletedMessagesOf(it.tree)[0]!.mark).toEqual({ at: 5, by: null })
})

test('a reply whose device went away is listed with what is there of it', async () => {
  await using it = await chat('one')
  const by = { providerId: 'p1', model: 'small', host: 'example.org', configId: undefined }
  const id = addMessage(it.tree, { role: 'assistant', text: '', createdAt: 9, by })
  for (const [at, part] of ['Half ', 'a reply'].entries()) storePart(it.tree.getVertex(id)!, at, part)
  deleteMessage(it.tree, [id], mark)
  expect(deletedMessagesOf(it.tree)).toEqual([{ ids: [id], text: 'Half a reply', mark }])
})
