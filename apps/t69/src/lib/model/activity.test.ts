import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { noteActivity, pinItem } from './activity.ts'
import { sidebarLines } from './sidebar-lines.ts'
import { addItem, forestRows, layOutSpace, moveItem, titleOf } from './space-tree.ts'
import type { Tree } from './tree.ts'

async function space() {
  const it = await localSpace()
  layOutSpace(it.root)
  return { tree: it.root, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() }
}

const now = new Date(2026, 5, 15, 12).getTime()
const day = 86_400_000

function lines(tree: Tree, isOpen: (id: string) => boolean = () => true): string[] {
  return sidebarLines(forestRows(tree, isOpen), now).map((line) =>
    line.kind === 'heading'
      ? `[${line.group}]`
      : `${'  '.repeat(line.row.level - 1)}${titleOf(tree.getVertex(line.row.id)!)}`,
  )
}

function chat(tree: Tree, title: string, at: number, folderId?: string): string {
  const id = addItem(tree, { title, treeId: `t-${title}`, ...(folderId === undefined ? {} : { folderId }) })
  noteActivity(tree, tree.getVertex(id)!, at)
  return id
}

test('chats are under their days, the last active first, and folders above them', async () => {
  await using it = await space()
  chat(it.tree, 'Old', now - 100 * day)
  chat(it.tree, 'Morning', now - day / 4)
  chat(it.tree, 'Week', now - 3 * day)
  const folder = addItem(it.tree, { title: 'Folder' })
  chat(it.tree, 'Inside', now - 50 * day, folder)
  chat(it.tree, 'Noon', now)
  expect(lines(it.tree)).toEqual([
    '[folders]',
    'Folder',
    '  Inside',
    '[today]',
    'Noon',
    'Morning',
    '[week]',
    'Week',
    '[2026-03]',
    'Old',
  ])
})

test('what is pinned is at the top, and nowhere else, also out of a closed folder', async () => {
  await using it = await space()
  const folder = addItem(it.tree, { title: 'Folder' })
  const inside = chat(it.tree, 'Inside', now, folder)
  const other = chat(it.tree, 'Other', now - 1_000_000)
  chat(it.tree, 'Third', now - 2_000_000)
  pinItem(it.tree, inside, true)
  pinItem(it.tree, other, true)
  expect(lines(it.tree, () => false)).toEqual([
    '[pinned]',
    'Inside',
    'Other',
    '[folders]',
    'Folder',
    '[today]',
    'Third',
  ])
  expect(forestRows(it.tree, () => false).map(({ position, siblings }) => [position, siblings])).toEqual([
    [1, 4],
    [2, 4],
    [3, 4],
    [4, 4],
  ])
  pinItem(it.tree, inside, false)
  expect(lines(it.tree)).toEqual(['[pinned]', 'Other', '[folders]', 'Folder', '  Inside', '[today]', 'Third'])
})

test('a pinned folder brings what is in it, and deleting it takes that along', async () => {
  await using it = await space()
  const folder = addItem(it.tree, { title: 'Folder' })
  const inside = chat(it.tree, 'Inside', now, folder)
  pinItem(it.tree, folder, true)
  expect(lines(it.tree)).toEqual(['[pinned]', 'Folder', '  Inside'])
  pinItem(it.tree, inside, true)
  expect(lines(it.tree)).toEqual(['[pinned]', 'Folder', 'Inside'])
  it.tree.getVertex(folder)!.delete()
  expect(lines(it.tree)).toEqual([])
})

test('a forest that somebody moves into a folder and pins is no row, and its chats are shown once', async () => {
  await using it = await space()
  const id = chat(it.tree, 'Chat', now)
  const forest = it.tree.getVertex(id)!.parent!
  const other = it.tree.root!.newNamedChild('app-forest')
  const folder = other.newChild({ title: 'Folder' })
  it.tree.moveVertex(forest.id, folder.id)
  pinItem(it.tree, forest.id, true)
  expect(lines(it.tree)).toEqual(['[folders]', 'Folder', '[today]', 'Chat'])
})

test('an activity is written at most once a minute, and one from the future is corrected', async () => {
  await using it = await space()
  const id = chat(it.tree, 'Chat', now)
  const item = it.tree.getVertex(id)!
  const before = it.tree.getAllOps().length
  noteActivity(it.tree, item, now + 59_000)
  expect(it.tree.getAllOps().length).toBe(before)
  noteActivity(it.tree, item, now + 60_000)
  expect(item.getProperty('activeAt')).toBe(now + 60_000)
  item.setProperty('activeAt', now + 1_000 * day)
  noteActivity(it.tree, item, now)
  expect(item.getProperty('activeAt')).toBe(now)
})

test('values that are no times and no pins change nothing', async () => {
  await using it = await space()
  const id = addItem(it.tree, { title: 'Chat', treeId: 't' })
  for (const value of ['soon', null, 8.64e15 + 1, { a: 1 }]) {
    it.tree.getVertex(id)!.setProperty('activeAt', value)
    it.tree.getVertex(id)!.setProperty('pinned', value)
    expect(lines(it.tree)).toHaveLength(2)
    expect(forestRows(it.tree, () => true)[0]).toMatchObject({ pinned: false })
  }
})

test('reading the sidebar again does not visit every vertex that was ever called a forest', async () => {
  await using it = await space()
  const many = 200
  const holder = it.tree.root!.newNamedChild('app-forest')
  for (let count = 0; count < many; count++) holder.newNamedChild('app-forest')
  const id = chat(it.tree, 'Chat', now)
  it.tree.flushEvents()
  forestRows(it.tree, () => true)
  let asked = 0
  const isAncestor = it.tree.isAncestor.bind(it.tree)
  it.tree.isAncestor = (...args) => {
    asked++
    return isAncestor(...args)
  }
  it.tree.getVertex(id)!.setProperty('title', 'Renamed')
  forestRows(it.tree, () => true)
  expect(asked).toBeLessThan(10)
  // A move may have brought one out of view.
  const folder = addItem(it.tree, { title: 'Folder' })
  moveItem(it.tree, id, folder)
  expect(lines(it.tree)).toContain('  Renamed')
  it.tree.getVertex(folder)!.parent!.delete()
  expect(lines(it.tree)).toEqual([])
})
