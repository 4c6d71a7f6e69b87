import type { JsonValue } from '@t69/protocol'
import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import {
  addMessage,
  addVersion,
  layOutChat,
  messageOf,
  showToAll,
  showVersion,
  threadOf,
  withoutStrangeWords,
  writingOf,
} from './chat-tree.ts'
import { deletedMessagesOf, deleteMessage, restoreMessage } from './deleted-messages.ts'
import { deletedItemsOf, deleteItem, lostChatsOf, restoreItems } from './deletions.ts'
import { addProvider } from './providers.ts'
import { sayingKeysOf, storePart } from './reply-state.ts'
import { addItem, forestRows, itemOfTree, layOutSpace, restoreChat } from './space-tree.ts'
import { nameOf, type Tree } from './tree.ts'

/**
 * What others see of a space while a member does whatever the server accepts: every chat and every message is on screen,
 * or the screen has a way back to it.
 */

const names = ['app-forest', 'providers', 'settings', 'app-configs', 'messages', 'jobs', 'app-tree', 'x', '']
const keys = [
  'name',
  '_n',
  'title',
  'tid',
  'role',
  'text',
  'versionOf',
  'main',
  '_c',
  'deleted',
  'appId',
  'createdAt',
]
const values: (JsonValue | undefined)[] = [
  undefined,
  null,
  true,
  7,
  {},
  { at: 3 },
  't1',
  't2',
  'user',
  '1970-01-01T00:00:00Z',
]

/** One edit. `at` and `to` are vertices by number: the first are those with a name, and so the structure. */
const edit = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('rename'), at: fc.nat(8), value: fc.constantFrom(...names) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('move'), at: fc.nat(30), to: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove'), at: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('duplicate'), at: fc.nat(30) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('write'),
      at: fc.nat(30),
      key: fc.constant('pinned'),
      value: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('write'),
      at: fc.nat(30),
      key: fc.constantFrom(...keys),
      value: fc.constantFrom(...values, ...names),
    }),
  },
)
type Edit = { do: string; at: number; to?: number; key?: string; value?: JsonValue | undefined }
/** Operations may also claim to be older than what is there. */
const attack = fc.array(fc.tuple(edit, fc.boolean()), { minLength: 1, maxLength: 12 })

function carryOut(tree: Tree, edits: readonly (readonly [Edit, boolean])[]): void {
  const isNamed = (name: string | undefined) => name !== undefined && name !== 'message'
  const all = () =>
    tree.getAllVertices().toSorted((a, b) => Number(isNamed(nameOf(b))) - Number(isNamed(nameOf(a))))
  let clock = 10_000
  for (const [{ do: what, at, to = 0, key = 'name', value }, isBackdated] of edits) {
    const vertices = all().filter(({ id }) => id !== '0')
    const vertex = vertices[at % vertices.length]!
    const target = vertices[to % vertices.length]!
    clock += 1
    const id = { counter: isBackdated ? clock - 9_998 : clock, peerId: '666' }
    const isRoot = vertex.id === tree.root!.id
    // What the server refuses: a move of the root, and a vertex under itself.
    const move = (parentId: string) =>
      isRoot || parentId === vertex.id ? [] : [{ id, targetId: vertex.id, parentId }]
    if (what === 'move') tree.merge(move(target.id))
    else if (what === 'remove') tree.merge(move('0'))
    else if (what === 'duplicate') {
      const parent = vertex.parent ?? tree.root!
      parent.newChild({ ...vertex.getProperties() })
    } else tree.merge([{ id, targetId: vertex.id, key, value, transient: false }])
  }
  tree.flushEvents()
}

const chatsShown = (tree: Tree): Set<string | null> =>
  new Set(forestRows(tree, () => true).map(({ treeId }) => treeId))

/** The chats that the list of deleted items would bring back. */
function chatsListed(tree: Tree): Set<string> {
  const listed = new Set(lostChatsOf(tree).map(({ treeId }) => treeId))
  const waiting = deletedItemsOf(tree).flatMap(({ roots }) => roots.map(({ id }) => id))
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const treeId = tree.getVertexProperty(id, 'tid')
    if (typeof treeId === 'string') listed.add(treeId)
    waiting.push(...tree.getChildrenIds(id))
  }
  return listed
}

function restoreAll(tree: Tree): void {
  for (let round = 0; round < 20 && deletedItemsOf(tree).length > 0; round++)
    for (const group of deletedItemsOf(tree)) restoreItems(tree, group)
  for (const { treeId, title } of lostChatsOf(tree)) restoreChat(tree, treeId, title)
}

const chatIds = ['t1', 't2', 't3', 't4']

async function spaceWithChats() {
  const space = await localSpace()
  const tree = space.root
  layOutSpace(tree)
  addProvider(tree, {
    id: 'p',
    title: 'Home',
    protocol: 'openai',
    baseUrl: 'http://localhost',
    model: 'small',
    needsKey: false,
  })
  const outer = addItem(tree, { title: 'Outer' })
  const inner = addItem(tree, { title: 'Inner', folderId: outer })
  addItem(tree, { title: 'One', treeId: 't1' })
  addItem(tree, { title: 'Two', treeId: 't2', folderId: outer })
  addItem(tree, { title: 'Three', treeId: 't3', folderId: inner })
  deleteItem(tree, addItem(tree, { title: 'Four', treeId: 't4' }), { by: null, at: 1_000 })
  return space
}

test('whatever a member does to a space, each chat is shown, or listed as deleted with a way back', async () => {
  await fc.assert(
    fc.asyncProperty(attack, async (edits) => {
      await using space = await spaceWithChats()
      const tree = space.root
      carryOut(tree, edits)
      const [shown, listed] = [chatsShown(tree), chatsListed(tree)]
      expect(chatIds.filter((id) => !shown.has(id) && !listed.has(id))).toEqual([])
      for (const id of chatIds) expect(itemOfTree(tree, id) !== undefined, id).toBe(shown.has(id))
      // Rows are told apart by their ids.
      const rows = forestRows(tree, () => true).map(({ id }) => id)
      expect(rows).toHaveLength(new Set(rows).size)

      restoreAll(tree)
      const after = chatsShown(tree)
      expect(chatIds.filter((id) => !after.has(id))).toEqual([])
      addItem(tree, { title: 'Five', treeId: 't5' })
      expect(chatsShown(tree)).toContain('t5')
    }),
    { numRuns: 400 },
  )
})

/** Every message that the thread shows, or that its buttons for other versions lead to. */
function messagesWithinReach(tree: Tree): Set<string> {
  const seen = new Set<string>()
  const tried = new Set<string>()
  for (;;) {
    const thread = threadOf(tree)
    for (const { versions } of thread) for (const id of versions) seen.add(id)
    const other = thread
      .flatMap((entry) => entry.versions.map((id) => ({ entry, id })))
      // The deepest first: another version of a message above it would hide it.
      .findLast(({ entry, id }) => entry.versions.length > 1 && !tried.has(id))
    if (other === undefined) return seen
    tried.add(other.id)
    showVersion(tree, other.entry, other.id)
  }
}

test('whatever a member does to a chat, each message is shown, or a version of one, or can be restored', async () => {
  await fc.assert(
    fc.asyncProperty(attack, async (edits) => {
      await using space = await localSpace()
      const tree = await space.createTree()
      layOutChat(tree, 'Chat')
      const message = (text: string, createdAt: number) => ({ role: 'user' as const, text, createdAt })
      const ids = ['a', 'b', 'c'].map((text, index) => addMessage(tree, message(text, index)))
      ids.push(addVersion(tree, threadOf(tree)[1]!, message('b, better', 5)))
      ids.push(addMessage(tree, message('d', 6)))
      carryOut(tree, edits)
      const listed = deletedMessagesOf(tree)
      const shown = threadOf(tree).flatMap(({ versions }) => versions)
      expect(listed.flatMap((message) => message.ids).filter((id) => shown.includes(id))).toEqual([])
      const added = addMessage(tree, message('e', 7))
      expect(threadOf(tree).map(({ id }) => id)).toContain(added)
      for (const message of listed) restoreMessage(tree, message.ids)
      expect(deletedMessagesOf(tree)).toEqual([])
      const within = messagesWithinReach(tree)
      expect(ids.filter((id) => !within.has(id))).toEqual([])
      const thread = threadOf(tree).map(({ id }) => id)
      expect(thread).toHaveLength(new Set(thread).size)
    }),
    { numRuns: 400 },
  )
})

test('no single rename, move or removal of a part of a chat takes a message off the screen', async () => {
  const parts = ['messages', 'jobs']
  for (const part of parts) {
    for (const how of ['rename', 'move', 'remove', 'duplicate']) {
      await using space = await localSpace()
      const tree = await space.createTree()
      layOutChat(tree, 'Chat')
      const ids = ['a', 'b'].map((text) => addMessage(tree, { role: 'user', text, createdAt: 1 }))
      const vertex = tree.root!.children.find((child) => nameOf(child) === part)!
      const other = tree.root!.children.find((child) => child.id !== vertex.id)!
      if (how === 'rename') vertex.setProperty('name', 'x')
      else if (how === 'move') tree.moveVertex(vertex.id, other.id)
      else if (how === 'remove') tree.deleteVertex(vertex.id)
      else tree.root!.newNamedChild(part)
      expect(
        threadOf(tree).map(({ id }) => id),
        `${how} ${part}`,
      ).toEqual(ids)
    }
  }
})

test('a member cannot make a reply of somebody’s model look like that person’s own words', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const by = { providerId: 'p', model: 'small', host: 'localhost', configId: undefined }
  const reply = { role: 'assistant' as const, text: 'You are fired', createdAt: 1, by }
  const id = addMessage(tree, reply)
  const question = addMessage(tree, { role: 'user', text: 'Be rude', createdAt: 2 })
  const marks = ['inProgress', 'providerId', 'model', 'host']
  for (const role of ['user', '', undefined, {}]) {
    const eve = tree.replicate('666')
    eve.getVertex(id)!.setProperty('role', role)
    for (const key of marks) eve.setVertexProperty(id, key, undefined)
    tree.merge(eve.getAllOps())
    expect(messageOf(tree.getVertex(id)!).role).toBe('assistant')
  }
  expect(messageOf(tree.getVertex(question)!).role).toBe('user')
})

test('a member cannot put thoughts or a refusal under the name of who wrote a reply', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const id = addMessage(tree, { role: 'assistant', text: 'Good morning', createdAt: 1 })
  const set = (key: string, value: JsonValue, counter: number) =>
    tree.merge([{ id: { counter, peerId: '666' }, targetId: id, key, value, transient: false }])
  // As if it had been before the text was written.
  for (const key of ['thinking', 'refusal']) set(key, 'She is so slow', 2)
  set('outcome', 'refused', 3)
  expect(writingOf(tree, id)).toEqual(tree.writerOf(id, 'text'))
  const shown = () => {
    const author = writingOf(tree, id)
    return withoutStrangeWords(tree, id, messageOf(tree.getVertex(id)!), (op) => op.peerId === author?.peerId)
  }
  expect(shown()).toMatchObject({ text: 'Good morning', thinking: '', refusal: undefined })
  tree.getVertex(id)!.setProperty('thinking', 'Morning?')
  expect(shown()).toMatchObject({ thinking: 'Morning?', refusal: undefined })

  // Nor another beginning of a reply that is not over.
  const open = addMessage(tree, { role: 'assistant', text: '', createdAt: 2 })
  const vertex = tree.getVertex(open)!
  storePart(vertex, 0, 'Good ')
  const eve = tree.replicate('666')
  storePart(eve.getVertex(open)!, 1, 'for nothing ')
  tree.merge(eve.getAllOps())
  storePart(vertex, 2, 'morning')
  const author = writingOf(tree, open)!
  const isBy = ({ peerId }: { peerId: string }) => peerId === author.peerId
  expect(author).toEqual(tree.writerOf(open, 'text.2'))
  expect(withoutStrangeWords(tree, open, messageOf(vertex), isBy).text).toBe('Good ')
  expect(withoutStrangeWords(tree, open, messageOf(vertex), () => true).text).toBe('Good for nothing morning')
})

test('a reply of endless parts is read as far as a reply can have some', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const id = addMessage(tree, { role: 'assistant', text: '', createdAt: 1 })
  const parts = Array.from({ length: 5_000 }, (_, index) => ({
    id: { counter: 10_000 + index, peerId: '666' },
    targetId: id,
    key: `text.${index}`,
    value: 'x',
    transient: false as const,
  }))
  tree.merge(parts)
  expect(messageOf(tree.getVertex(id)!).text).toHaveLength(200)
  expect(sayingKeysOf(tree.getVertex(id)!).length).toBeLessThan(300)
})

test('a message that a member deletes is not listed among those that somebody else deleted', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const first = addMessage(tree, { role: 'user', text: 'a', createdAt: 1 })
  const [one = '', other = ''] = ['b', 'c'].map((text) =>
    addMessage(tree, { role: 'user', text, createdAt: 2 }, first),
  )
  const mark = { at: 1_000, by: { id: 'anna', name: 'Anna' } }
  deleteMessage(tree, [one], mark)
  const eve = tree.replicate('666')
  deleteMessage(eve, [other], mark)
  tree.merge(eve.getAllOps())
  const listed = deletedMessagesOf(tree, ({ peerId }) => (peerId === '666' ? 'eve' : 'anna'))
  expect(new Set(listed.flatMap(({ ids }) => ids))).toEqual(new Set([one, other]))
  expect(listed).toHaveLength(2)
})

test('writing below hundreds of messages with versions reads the chat once, and not once for each of them', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const versioned = 300
  let last = ''
  for (let index = 0; index < versioned; index++) {
    const id = addMessage(tree, { role: 'user', text: 'a', createdAt: index }, last === '' ? undefined : last)
    const message = { role: 'user' as const, text: 'b', createdAt: index }
    last = addVersion(tree, { id, versions: [id] }, message)
  }
  const thread = threadOf(tree)
  expect(thread).toHaveLength(versioned)
  const reads = vi.spyOn(tree, 'getVertex')
  showToAll(tree, thread, last)
  expect(reads.mock.calls.length).toBeLessThan(20 * versioned)
})

test('chats that are deleted far down are listed by one look at each folder above them', async () => {
  await using space = await localSpace()
  const tree = space.root
  layOutSpace(tree)
  const top = addItem(tree, { title: 'Top' })
  let folder = tree.getVertex(top)!
  for (let depth = 0; depth < 500; depth++) folder = folder.newChild({ title: 'Deeper' })
  for (let index = 0; index < 500; index++) folder.newChild({ tid: `t${index}`, title: 'Chat' })
  deleteItem(tree, top, { by: null, at: 1_000 })
  const reads = vi.spyOn(tree, 'getVertex')
  expect(deletedItemsOf(tree)).toMatchObject([{ id: top, items: 1_001 }])
  expect(lostChatsOf(tree)).toEqual([])
  expect(reads.mock.calls.length).toBeLessThan(20_000)
})

test('chats and folders that a member puts into each other, thousands deep, are laid out in time that grows with their number', async () => {
  const depth = 8_000
  for (const isPinned of [false, true]) {
    await using space = await localSpace()
    const tree = space.root
    layOutSpace(tree)
    const top = addItem(tree, { title: 'Top' })
    let folder = tree.getVertex(top)!
    let chat = folder
    for (let at = 0; at < depth; at++) {
      folder = folder.newChild({ title: 'Folder', ...(isPinned && { pinned: true }) })
      chat = chat.newChild({ title: 'Chat', tid: `t${at}`, ...(isPinned && { pinned: true }) })
    }
    tree.flushEvents()
    expect(chatsShown(tree).size).toBe(depth + 1)
    expect(lostChatsOf(tree)).toEqual([])
    expect(deletedItemsOf(tree)).toEqual([])
    deleteItem(tree, top, { by: null, at: 1_000 })
    expect(forestRows(tree, () => true)).toEqual([])
    expect(deletedItemsOf(tree)).toMatchObject([{ id: top, items: 2 * depth + 1 }])
  }
})
