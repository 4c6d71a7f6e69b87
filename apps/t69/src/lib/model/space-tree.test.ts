import { expect, test, vi } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import {
  addItem,
  canMove,
  folderOf,
  forestRows,
  isBlank,
  layOutSpace,
  moveItem,
  renameItem,
  restoreChat,
  titleOf,
  treeIdOf,
} from './space-tree.ts'
import { childrenNamed, type Tree } from './tree.ts'

async function space() {
  const it = await localSpace()
  layOutSpace(it.root)
  return { tree: it.root, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() }
}

function lines(tree: Tree, isOpen: (id: string) => boolean = () => true): string[] {
  return forestRows(tree, isOpen).map(
    (row) => `${'  '.repeat(row.level - 1)}${row.kind} ${titleOf(tree.getVertex(row.id)!)}`,
  )
}

test('a new space has the parts that t69 expects, and is blank', async () => {
  await using it = await space()
  const names = it.tree.root!.children.map((child) => child.name)
  expect(new Set(names)).toEqual(new Set(['app-configs', 'app-forest', 'providers', 'settings']))
  expect(isBlank(it.tree)).toBe(true)
})

test('folders come before chats, and the contents of an open folder follow it', async () => {
  await using it = await space()
  addItem(it.tree, { title: 'Chat', treeId: 't1' })
  const folder = addItem(it.tree, { title: 'Folder' })
  addItem(it.tree, { title: 'Inside', treeId: 't2', folderId: folder })
  expect(lines(it.tree)).toEqual(['folder Folder', '  chat Inside', 'chat Chat'])
  expect(lines(it.tree, () => false)).toEqual(['folder Folder', 'chat Chat'])
  expect(isBlank(it.tree)).toBe(false)
})

test('an item moves into folders and to the top, but not into itself, its contents or a chat', async () => {
  await using it = await space()
  const outer = addItem(it.tree, { title: 'Outer' })
  const inner = addItem(it.tree, { title: 'Inner', folderId: outer })
  const chat = addItem(it.tree, { title: 'Chat', treeId: 't1' })
  expect(moveItem(it.tree, chat, inner)).toBe(true)
  expect(folderOf(it.tree, chat)).toBe(inner)
  for (const [id, folder] of [
    [outer, outer],
    [outer, inner],
    [inner, chat],
    [chat, inner],
    [outer, null],
  ] as const) {
    expect(canMove(it.tree, id, folder)).toBe(false)
  }
  expect(moveItem(it.tree, chat, null)).toBe(true)
  expect(folderOf(it.tree, chat)).toBe(null)
})

test('a space of the t69 of June 2025 shows its chats, and takes new ones into the same forest', async () => {
  await using it = await localSpace()
  const forest = it.root.root!.newChild({ _n: 'app-forest' })
  const vertex = forest.newChild({ _n: 'Old chat', tid: 't1' })
  expect(lines(it.root)).toEqual(['chat Old chat'])
  addItem(it.root, { title: 'Folder' })
  renameItem(it.root, vertex.id, 'Renamed')
  expect(lines(it.root)).toEqual(['folder Folder', 'chat Renamed'])
  expect(childrenNamed(it.root.root!, 'app-forest')).toHaveLength(1)
})

test('forests that two devices both created are shown as one', async () => {
  await using it = await space()
  addItem(it.tree, { title: 'One', treeId: 't1' })
  it.tree.root!.newNamedChild('app-forest').newChild({ title: 'Two', tid: 't2' })
  expect(new Set(lines(it.tree))).toEqual(new Set(['chat One', 'chat Two']))
})

test('a chat that was deleted while it was open is restored at the top, once', async () => {
  await using it = await space()
  const folder = addItem(it.tree, { title: 'Folder' })
  addItem(it.tree, { title: 'Chat', treeId: 't1', folderId: folder })
  it.tree.deleteVertex(folder)
  restoreChat(it.tree, 't1', 'Chat')
  expect(lines(it.tree)).toEqual(['chat Chat'])
})

test('a folder may hold more chats than a call takes arguments', async () => {
  await using it = await space()
  const folder = addItem(it.tree, { title: 'Folder' })
  const many = Array.from({ length: 130_000 }, (_, index) => `chat${index}`)
  it.tree.merge(
    many.map((targetId, index) => ({
      id: { counter: 1_000 + index, peerId: '1' },
      targetId,
      parentId: folder,
    })),
  )
  expect(forestRows(it.tree, () => true)).toHaveLength(many.length + 1)
})

test('items without a legible creation time are listed', async () => {
  await using it = await space()
  const chats = ['One', 'Two'].map((title) => addItem(it.tree, { title, treeId: `tree of ${title}` }))
  for (const id of chats) it.tree.setVertexProperty(id, '_c', { toString: 1, valueOf: 1 })
  expect(lines(it.tree).toSorted()).toEqual(['chat One', 'chat Two'])
})

test('an item that a member made stand for the space itself is no chat', async () => {
  await using it = await space()
  const id = addItem(it.tree, { title: 'Mirror', treeId: it.tree.root!.id })
  expect(lines(it.tree)).toEqual(['folder Mirror'])
  expect(treeIdOf(it.tree.getVertex(id)!)).toBeNull()
})

test('a title with half a character is stored, with a sign in its place', async () => {
  await using it = await space()
  const id = addItem(it.tree, { title: 'Half \ud83d' })
  expect(lines(it.tree)).toEqual(['folder Half \ufffd'])
  renameItem(it.tree, id, '\ude02 of it')
  expect(lines(it.tree)).toEqual(['folder \ufffd of it'])
})

test('thousands of vertices named like the forest are looked at once, and again after a move', async () => {
  await using it = await space()
  const { tree } = it
  addItem(tree, { title: 'Chat', treeId: 't1' })
  for (let index = 0; index < 2_000; index++) tree.root!.newNamedChild('app-forest')
  const moved = tree.root!.newNamedChild('app-forest')
  const looks = vi.spyOn(tree, 'getVertex')
  const first = lines(tree)
  expect(looks.mock.calls.length).toBeGreaterThan(2_000)
  looks.mockClear()
  renameItem(tree, forestRows(tree, () => true)[0]!.id, 'Renamed')
  expect([lines(tree), first]).toEqual([['chat Renamed'], ['chat Chat']])
  expect(looks.mock.calls.length).toBeLessThan(100)
  // What stands in the moved one is at the top as before.
  moved.newChild({ title: 'Second', tid: 't2' })
  expect(lines(tree)).toHaveLength(2)
  tree.deleteVertex(moved.id)
  expect(lines(tree)).toEqual(['chat Renamed'])
  tree.moveVertex(moved.id, tree.root!.id)
  expect(lines(tree)).toHaveLength(2)
})
