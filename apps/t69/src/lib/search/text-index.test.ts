import type { VertexOperation } from '@t69/sync-client'
import { expect, test } from 'vitest'

import { addMessage, addVersion, layOutChat, threadOf } from '../model/chat-tree.ts'
import { addItem, layOutSpace, moveItem, renameItem } from '../model/space-tree.ts'
import type { Tree } from '../model/tree.ts'
import { localSpace } from '../testing/local-space.ts'
import { chatsIn } from './chat-texts.ts'
import { createTextIndex, type StoredOperations } from './text-index.ts'
import type { TextStore, TreeKey, TreeTexts } from './text-store.ts'

/** A store in memory, which counts what is written. */
function memoryStore(): TextStore & { readonly saved: string[]; readonly rows: Map<string, TreeTexts> } {
  const rows = new Map<string, TreeTexts>()
  const tries = new Map<string, { key: TreeKey; tries: number }>()
  let reading: TreeKey | undefined
  const saved: string[] = []
  return {
    rows,
    saved,
    loadAll: () => Promise.resolve(structuredClone(Array.from(rows.values()))),
    save(texts) {
      for (const each of texts) {
        rows.set(`${each.spaceId}/${each.treeId}`, each)
        tries.delete(`${each.spaceId}/${each.treeId}`)
        saved.push(each.treeId)
      }
      return Promise.resolve()
    },
    remove(keys) {
      for (const key of keys) rows.delete(key.join('/'))
      return Promise.resolve()
    },
    noteReading(key) {
      reading = key
      return Promise.resolve()
    },
    loadTries() {
      const id = reading?.join('/')
      if (reading !== undefined && id !== undefined)
        tries.set(id, { key: reading, tries: (tries.get(id)?.tries ?? 0) + 1 })
      reading = undefined
      return Promise.resolve(Array.from(tries.values()))
    },
  }
}

/** A device on which the given trees are stored. */
function device(trees: Map<string, Map<string, Tree>>): StoredOperations {
  const opsOf = (spaceId: string, treeId: string): VertexOperation[] =>
    trees
      .get(spaceId)
      ?.get(treeId)
      ?.getAllOps()
      .filter((op) => !('transient' in op && op.transient)) ?? []
  return {
    getTreeStates: (spaceId) =>
      Promise.resolve(
        new Map(
          Array.from(trees.get(spaceId)?.keys() ?? [], (treeId) => [
            treeId,
            String(opsOf(spaceId, treeId).length),
          ]),
        ),
      ),
    getTreeOps: (spaceId, treeId) => Promise.resolve(opsOf(spaceId, treeId)),
  }
}

async function lab() {
  const space = await localSpace()
  layOutSpace(space.root)
  const trees = new Map([[space.id as string, new Map([[space.id as string, space.root]])]])
  const store = memoryStore()
  const open = () =>
    createTextIndex({ operations: device(trees), store, pause: () => Promise.resolve(), tell: () => {} })
  async function chat(title: string, ...texts: string[]) {
    const tree = await space.createTree()
    const treeId = space.treeIdOf(tree)
    layOutChat(tree, title)
    for (const [index, text] of texts.entries())
      addMessage(tree, { role: index % 2 === 0 ? 'user' : 'assistant', text, createdAt: 1_000 + index })
    trees.get(space.id)!.set(treeId, tree)
    return { treeId, tree, itemId: addItem(space.root, { title, treeId }) }
  }
  return { space, trees, store, open, chat, [Symbol.asyncDispose]: () => space[Symbol.asyncDispose]() }
}

type Lab = Awaited<ReturnType<typeof lab>>

async function found(index: Awaited<ReturnType<Lab['open']>>, query: string) {
  const results = await index.find(query, () => false)
  return {
    chats: results!.chats.map(({ title }) => title),
    messages: results!.messages.map(({ excerpt }) => excerpt),
  }
}

test('chats and messages are found, the newest first, with what is around the words', async () => {
  await using it = await lab()
  await it.chat('Garden', 'When do I water the roses?', 'In the morning. Water them well.')
  const index = await it.open()
  await index.look([it.space.id])
  expect(await found(index, 'water')).toEqual({
    chats: [],
    messages: ['In the morning. Water them well.', 'When do I water the roses?'],
  })
  expect(await found(index, 'gadren')).toEqual({ chats: ['Garden'], messages: [] })
  const { messages } = (await index.find('roses', () => false))!
  expect(messages[0]).toMatchObject({ title: 'Garden', at: 1_000, marks: [[20, 25]] })
  expect(await found(index, '  ')).toEqual({ chats: [], messages: [] })
})

test('what people write, rename and delete later is found as it is then, and only what changed is read', async () => {
  await using it = await lab()
  const garden = await it.chat('Garden', 'Roses')
  await it.chat('Kitchen', 'Bread')
  const index = await it.open()
  await index.look([it.space.id])
  it.store.saved.length = 0
  addMessage(garden.tree, { role: 'user', text: 'Tulips', createdAt: 3_000 })
  await index.look([it.space.id])
  expect(it.store.saved).toEqual([garden.treeId])
  expect(await found(index, 'tulips')).toMatchObject({ messages: ['Tulips'] })

  const first = threadOf(garden.tree)[0]!
  addVersion(garden.tree, first, { role: 'user', text: 'Lilies', createdAt: 4_000 })
  garden.tree.getVertex(first.id)!.setProperty('text', 'Thorns')
  renameItem(it.space.root, garden.itemId, 'Yard')
  await index.look([it.space.id])
  expect(await found(index, 'roses')).toEqual({ chats: [], messages: [] })
  expect(await found(index, 'lilies')).toMatchObject({ messages: ['Lilies'] })
  expect(await found(index, 'thorns')).toMatchObject({ messages: ['Thorns'] })
  expect(await found(index, 'yard')).toMatchObject({ chats: ['Yard'] })

  garden.tree.getVertex(first.id)!.setProperty('deleted', { at: 5_000 })
  await index.look([it.space.id])
  expect(await found(index, 'thorns')).toMatchObject({ messages: [] })
})

test('nothing of a deleted chat is found, wherever it was, and all of it once it is back', async () => {
  await using it = await lab()
  const garden = await it.chat('Garden', 'Roses')
  const folder = addItem(it.space.root, { title: 'Folder' })
  moveItem(it.space.root, garden.itemId, folder)
  it.space.root.getVertex(folder)!.delete()
  const index = await it.open()
  await index.look([it.space.id])
  expect(await found(index, 'roses')).toEqual({ chats: [], messages: [] })
  expect(await found(index, 'garden')).toEqual({ chats: [], messages: [] })
  it.space.root.moveVertex(folder, it.space.root.root!.children[0]!.id)
  await index.look([it.space.id])
  expect(await found(index, 'roses')).toMatchObject({ messages: ['Roses'] })
})

test('texts are kept between visits, and those of a space that is not listed any more are deleted', async () => {
  await using it = await lab()
  await it.chat('Garden', 'Roses')
  await (await it.open()).look([it.space.id])
  it.store.saved.length = 0
  const next = await it.open()
  await next.look([it.space.id])
  expect(it.store.saved).toEqual([])
  expect(await found(next, 'roses')).toMatchObject({ messages: ['Roses'] })
  await next.look([])
  expect(it.store.rows.size).toBe(0)
  expect(await found(next, 'roses')).toEqual({ chats: [], messages: [] })
})

test('a tree that was removed from the device is forgotten', async () => {
  await using it = await lab()
  const { treeId } = await it.chat('Garden', 'Roses')
  const index = await it.open()
  await index.look([it.space.id])
  it.trees.get(it.space.id)!.delete(treeId)
  await index.look([it.space.id])
  expect(await found(index, 'roses')).toMatchObject({ messages: [] })
  expect(Array.from(it.store.rows.keys())).toEqual([`${it.space.id}/${it.space.id}`])
})

test('a tree that has ended the page three times is left out, and everything else is found', async () => {
  await using it = await lab()
  const huge = await it.chat('Huge', 'Roses')
  const stored = device(it.trees)
  let ended = 0
  /** As where reading the tree takes more memory than there is. */
  const operations: StoredOperations = {
    getTreeStates: (spaceId) => stored.getTreeStates(spaceId),
    getTreeOps: (spaceId, treeId) => {
      if (treeId !== huge.treeId) return stored.getTreeOps(spaceId, treeId)
      ended += 1
      return Promise.reject(new Error('the page is gone'))
    },
  }
  const start = () =>
    createTextIndex({ operations, store: it.store, pause: () => Promise.resolve(), tell: () => {} })
  for (let visit = 0; visit < 3; visit++) {
    await expect((await start()).look([it.space.id])).rejects.toThrow('the page is gone')
  }
  await it.chat('Garden', 'Tulips')
  const index = await start()
  await index.look([it.space.id])
  expect(ended).toBe(3)
  expect(await found(index, 'tulips')).toMatchObject({ messages: ['Tulips'] })
  expect(await found(index, 'huge')).toMatchObject({ chats: ['Huge'] })
  expect(await found(index, 'roses')).toMatchObject({ messages: [] })
})

test('of a space that somebody has filled with text, a part that fits into memory is kept', async () => {
  await using it = await lab()
  const wall = 'word '.repeat(4_000)
  await it.chat('Garden', 'Roses')
  const { tree } = await it.chat('Wall', 'The first brick')
  for (let brick = 0; brick < 1_600; brick++)
    addMessage(tree, { role: 'user', text: wall, createdAt: 2_000 + brick })
  const index = await it.open()
  await index.look([it.space.id])
  const kept = Array.from(it.store.rows.values()).flatMap(({ messages }) => messages)
  expect(kept.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(30_000_000)
  expect(kept.length).toBeGreaterThan(1_400)
  expect(await found(index, 'roses')).toMatchObject({ messages: ['Roses'] })
  expect(await found(index, 'brick')).toMatchObject({ messages: [] })
})

test('chats that somebody has put into each other, very many deep, are listed in time that grows with their number', () => {
  const ops = Array.from({ length: 100_000 }, (_, at): VertexOperation[] => {
    const [id, above] = [`v${at}`, at === 0 ? 'root' : `v${at - 1}`]
    const of = (nr: number) => ({ counter: 3 * at + nr, peerId: 'p' })
    return [
      { id: of(1), targetId: id, parentId: above },
      { id: of(2), targetId: id, key: 'tid', value: `t${at}`, transient: false },
    ]
  })
  expect(chatsIn(ops.flat())).toHaveLength(100_000)
  const deleted: VertexOperation = {
    id: { counter: 1_000_000, peerId: 'p' },
    targetId: 'v50000',
    parentId: '0',
  }
  expect(chatsIn([...ops.flat(), deleted])).toHaveLength(50_000)
})

test('values that are no texts, titles or times are passed over', async () => {
  await using it = await lab()
  const { tree, itemId } = await it.chat('Garden', 'Roses')
  const id = threadOf(tree)[0]!.id
  for (const value of [1, null, { a: 1 }, '8e99', 1e300]) {
    tree.getVertex(id)!.setProperty('createdAt', value)
    it.space.root.getVertex(itemId)!.setProperty('title', value)
    it.space.root.getVertex(itemId)!.setProperty('activeAt', value)
    const index = await it.open()
    await index.look([it.space.id])
    expect(await found(index, 'roses')).toMatchObject({ messages: ['Roses'] })
  }
})

test('of long texts the words are shown with what is around them, and no character is cut in two', async () => {
  await using it = await lab()
  await it.chat(
    'Long',
    `${'🌹'.repeat(300)}needle${'🌹'.repeat(300)}`,
    `${'word '.repeat(100)}haystack\n${'more '.repeat(100)}`,
  )
  const index = await it.open()
  await index.look([it.space.id])
  for (const query of ['needle', 'haystack']) {
    const [hit] = (await index.find(query, () => false))!.messages
    expect(hit!.excerpt.isWellFormed()).toBe(true)
    expect(hit!.excerpt.length).toBeLessThan(250)
    expect(hit!.marks.map(([from, to]) => hit!.excerpt.slice(from, to))).toEqual([query])
  }
})

test('a query that is not the last one any more ends', async () => {
  await using it = await lab()
  await it.chat('Garden', 'Roses')
  const index = await it.open()
  await index.look([it.space.id])
  expect(await index.find('roses', () => true)).toBeUndefined()
})
