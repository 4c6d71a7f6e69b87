import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import {
  deletedItemsOf,
  deleteItem,
  deleterName,
  massDeletionsAfter,
  restoreItems,
  type DeletedItems,
  type Deleter,
  type Voucher,
} from './deletions.ts'
import { addItem, forestRows, itemOfTree, layOutSpace, shownItems, titleOf } from './space-tree.ts'
import { childrenNamed, type Tree } from './tree.ts'

const ben = { id: 'ben', name: 'Ben' }
const minuteMs = 60_000

async function space() {
  const it = await localSpace()
  layOutSpace(it.root)
  return { tree: it.root, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() }
}

function lines(tree: Tree): string[] {
  return forestRows(tree, () => true).map(
    (row) => `${'  '.repeat(row.level - 1)}${row.kind} ${titleOf(tree.getVertex(row.id)!)}`,
  )
}

function chats(tree: Tree, count: number, folderId: string | null = null): string[] {
  return Array.from({ length: count }, (_, n) =>
    addItem(tree, { title: `Chat ${n}`, treeId: `t${n}`, folderId }),
  )
}

/** The notices on a page that had the space open during `act`. */
function noticesOf(tree: Tree, act: () => void) {
  const before = new Set(tree.getChildrenIds('0'))
  act()
  return massDeletionsAfter(tree, [], new Set(tree.getChildrenIds('0').filter((id) => !before.has(id))))
}

const titlesOf = (tree: Tree, groups: readonly DeletedItems[]): string[][] =>
  groups.map(({ roots }) => roots.map(({ id }) => titleOf(tree.getVertex(id)!)))

test('a deleted folder takes its contents with it, and restoring it puts them all back', async () => {
  await using it = await space()
  const outer = addItem(it.tree, { title: 'Outer' })
  const inner = addItem(it.tree, { title: 'Inner', folderId: outer })
  addItem(it.tree, { title: 'Chat', treeId: 't1', folderId: inner })
  const before = lines(it.tree)
  const deleted = deleteItem(it.tree, inner, null)
  expect(lines(it.tree)).toEqual(['folder Outer'])
  expect(itemOfTree(it.tree, 't1')).toBeUndefined()
  restoreItems(it.tree, deleted)
  expect(lines(it.tree)).toEqual(before)
})

test('an item whose folder is gone is restored at the top', async () => {
  await using it = await space()
  const folder = addItem(it.tree, { title: 'Folder' })
  const chat = addItem(it.tree, { title: 'Chat', treeId: 't1', folderId: folder })
  const deleted = deleteItem(it.tree, chat, null)
  deleteItem(it.tree, folder, null)
  restoreItems(it.tree, deleted)
  expect(lines(it.tree)).toEqual(['chat Chat'])
})

test('undoing a deletion leaves alone items that someone has moved elsewhere since', async () => {
  await using it = await space()
  const folder = addItem(it.tree, { title: 'Folder' })
  const chat = addItem(it.tree, { title: 'Chat', treeId: 't1' })
  const deleted = deleteItem(it.tree, chat, null)
  it.tree.moveVertex(chat, folder)
  restoreItems(it.tree, deleted)
  expect(lines(it.tree)).toEqual(['folder Folder', '  chat Chat'])
})

test('the list says who deleted what and when, newest first, and splits groups at a pause', async () => {
  await using it = await space()
  const [a, b, c, d] = chats(it.tree, 4) as [string, string, string, string]
  deleteItem(it.tree, a, { by: ben, at: 1_000 })
  deleteItem(it.tree, b, { by: ben, at: 2_000 })
  deleteItem(it.tree, c, { by: ben, at: 2_000 + 2 * minuteMs })
  it.tree.deleteVertex(d)
  const groups = deletedItemsOf(it.tree)
  expect(titlesOf(it.tree, groups)).toEqual([
    ['Chat 2', 'Chat 3'],
    ['Chat 0', 'Chat 1'],
  ])
  expect(groups).toMatchObject([
    { items: 2, by: ben, at: 2_000 + 2 * minuteMs },
    { items: 2, by: ben, at: 2_000 },
  ])
})

test('the mark of an earlier deletion does not describe a later one by someone else', async () => {
  await using it = await space()
  const [chat] = chats(it.tree, 1) as [string]
  restoreItems(it.tree, deleteItem(it.tree, chat, { by: ben, at: 1_000 }))
  const other = it.tree.replicate('3')
  other.deleteVertex(chat)
  it.tree.merge(other.getAllOps())
  expect(deletedItemsOf(it.tree)).toMatchObject([{ items: 1, by: null, at: null }])
  expect(deletedItemsOf(other)).toMatchObject([{ items: 1, by: 'own', at: null }])
})

test('the list leaves out settings and providers, and has a deleted forest for its contents', async () => {
  await using it = await space()
  const [first] = chats(it.tree, 3) as [string]
  const before = lines(it.tree)
  const root = it.tree.root!
  for (const name of ['providers', 'settings', 'app-configs', 'app-forest']) {
    for (const part of childrenNamed(root, name)) it.tree.deleteVertex(part.id)
  }
  expect(deletedItemsOf(it.tree)).toMatchObject([{ items: 3, roots: [{ vertices: 4 }] }])
  restoreItems(it.tree, deletedItemsOf(it.tree)[0]!)
  expect(lines(it.tree)).toEqual(before)

  // A chat that was deleted before its forest: restoring it needs a new forest.
  const deleted = deleteItem(it.tree, first, null)
  it.tree.deleteVertex(childrenNamed(root, 'app-forest')[0]!.id)
  restoreItems(it.tree, deleted)
  expect(lines(it.tree)).toEqual(['chat Chat 0'])
})

test('deleting more than a fifth of the items at once, and at least five, is a mass deletion', async () => {
  await using it = await space()
  const ids = chats(it.tree, 40)
  const remove = (count: number) => () => {
    for (const id of ids.splice(0, count)) it.tree.deleteVertex(id)
  }
  expect(noticesOf(it.tree, remove(8))).toEqual([])
  expect(noticesOf(it.tree, remove(8))).toMatchObject([{ items: 8, of: 32 }])
  expect(noticesOf(it.tree, remove(20))).toMatchObject([{ items: 20, of: 24 }])
  // The rest of the space, but fewer than five.
  expect(noticesOf(it.tree, remove(4))).toEqual([])
})

test('a deleted folder counts with its contents, and other edits at the same time do not count', async () => {
  await using it = await space()
  const folder = addItem(it.tree, { title: 'Folder' })
  chats(it.tree, 33, folder)
  chats(it.tree, 6)
  const remote = it.tree.replicate('3')
  deleteItem(remote, folder, { by: ben, at: 5 })
  chats(remote, 1)
  const notices = noticesOf(it.tree, () => it.tree.merge(remote.getAllOps()))
  expect(notices).toMatchObject([{ items: 34, of: 41, by: ben }])
  restoreItems(it.tree, notices[0]!)
  expect(shownItems(it.tree).size).toBe(41)
})

test('a notice goes once everything it is about was restored, by anyone', async () => {
  await using it = await space()
  const ids = chats(it.tree, 10)
  const open = noticesOf(it.tree, () => ids.forEach((id) => it.tree.deleteVertex(id)))
  for (const id of ids.slice(1)) it.tree.moveVertex(id, it.tree.root!.id)
  expect(massDeletionsAfter(it.tree, open, new Set())).toEqual(open)
  const remote = it.tree.replicate('3')
  restoreItems(remote, open[0]!)
  it.tree.merge(remote.getAllOps())
  expect(massDeletionsAfter(it.tree, open, new Set())).toEqual([])
})

test('a deletion of items that were never on this screen makes no notice', async () => {
  await using it = await space()
  const seen = chats(it.tree, 12)
  const fresh = new Set(seen)
  for (const id of seen) it.tree.deleteVertex(id)
  expect(massDeletionsAfter(it.tree, [], fresh, () => false)).toEqual([])
  const some = new Set(seen.slice(0, 6))
  expect(massDeletionsAfter(it.tree, [], fresh, (id) => some.has(id))).toMatchObject([{ items: 6, of: 6 }])
})

test('a deletion is “You” to the page or user that made it, and has the name to others', () => {
  const nameOf = (userId: string) => `${userId}, by the server`
  const name = (by: Deleter, reader: Parameters<typeof deleterName>[1]) => deleterName(by, reader, nameOf)
  const anna = { id: 'anna', isAlone: false }
  expect(name(ben, anna)).toBe('Ben')
  expect(name(ben, { id: 'ben', isAlone: false })).toBe('You')
  expect(name('own', anna)).toBe('You')
  expect(name(null, anna)).toBe('Someone')
  expect(name(null, { id: null, isAlone: true })).toBe('You')
  expect(name({ userId: 'eve' }, anna)).toBe('eve, by the server')
  expect(name({ userId: 'anna' }, anna)).toBe('You')
})

/** Vouches for an account for the operations of each page; of a page that it does not name, for nobody. */
const vouching =
  (accounts: Record<string, string>): Voucher =>
  ({ peerId }) => {
    const userId = accounts[peerId]
    return userId === undefined ? null : { userId, at: 7_000 }
  }

test('a deletion is by the account that the server names, not by the one in its mark', async () => {
  await using it = await space()
  const ids = chats(it.tree, 8)
  const eve = it.tree.replicate('3')
  for (const id of ids.slice(0, 6)) deleteItem(eve, id, { by: ben, at: 5_000 })
  eve.deleteVertex(ids[6]!)
  const vouch = vouching({ 3: 'eve' })
  const before = new Set(it.tree.getChildrenIds('0'))
  it.tree.merge(eve.getAllOps())
  const fresh = new Set(it.tree.getChildrenIds('0').filter((id) => !before.has(id)))
  const [notice] = massDeletionsAfter(it.tree, [], fresh, undefined, vouch)
  expect(notice).toMatchObject({ items: 7, by: { userId: 'eve' } })
  expect(deletedItemsOf(it.tree, vouch)).toMatchObject([{ by: { userId: 'eve' }, at: 5_000 }])
  // Nobody knows yet who committed it: what the mark says.
  expect(deletedItemsOf(it.tree)).toMatchObject([{ by: ben }])
})

test('a deletion without a mark has the time at which the server had it', async () => {
  await using it = await space()
  const [chat] = chats(it.tree, 1)
  it.tree.deleteVertex(chat!)
  expect(deletedItemsOf(it.tree, vouching({ [it.tree.peerId]: 'ben' }))).toMatchObject([
    { by: { userId: 'ben' }, at: 7_000 },
  ])
})

test('deletions under one page’s id that two accounts committed are two groups', async () => {
  await using it = await space()
  const [a, b, c] = chats(it.tree, 3) as [string, string, string]
  for (const id of [a, b, c]) it.tree.deleteVertex(id)
  const [, , last] = it.tree.getDeletedVertices()
  const vouch: Voucher = ({ counter }) => ({
    userId: counter === last?.deletedBy.counter ? 'eve' : 'ben',
    at: 1,
  })
  expect(deletedItemsOf(it.tree, vouch)).toMatchObject([
    { items: 1, by: { userId: 'eve' } },
    { items: 2, by: { userId: 'ben' } },
  ])
})

test('a mark with a time that cannot be shown has no time', async () => {
  await using it = await space()
  const [chat] = chats(it.tree, 1)
  deleteItem(it.tree, chat!, { by: ben, at: 1e300 })
  expect(deletedItemsOf(it.tree)).toMatchObject([{ at: null }])
})
