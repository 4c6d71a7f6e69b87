import { expect, test } from 'vitest'

import { addItem, layOutSpace } from '../model/space-tree.ts'
import { localSpace } from '../testing/local-space.ts'
import { History } from './history.ts'

test('undo takes back the last thing in the sidebar or in the chat that has the focus, and redo does it again', async () => {
  await using space = await localSpace()
  layOutSpace(space.root)
  const [one, two] = [await space.createTree(), await space.createTree()]
  const history = new History(space, () => true)
  const titleOf = (tree: typeof one): unknown => tree.root!.getProperty('title')
  for (const [tree, title] of [
    [one, 'One'],
    [two, 'Two'],
  ] as const)
    history.act(tree, title, [tree.root!.id], () => tree.root!.setProperty('title', title))
  const inOne = { in: space.treeIdOf(one) }
  expect(await history.undo(null, inOne)).toEqual({ kind: 'done', what: 'One' })
  expect([titleOf(one), titleOf(two)]).toEqual([undefined, 'Two'])
  expect(await history.undo(null, inOne)).toBeNull()
  expect(await history.redo(null, { in: space.treeIdOf(two) })).toBeNull()
  expect(await history.redo(null, inOne)).toEqual({ kind: 'done', what: 'One' })
  expect(titleOf(one)).toBe('One')

  const folder = history.act(space.root, 'Folder', [], () =>
    addItem(space.root, { title: 'F', folderId: null }),
  )
  // The sidebar is always in sight.
  expect(await history.undo(null, { in: null })).toEqual({ kind: 'done', what: 'Folder' })
  expect(await history.undo(null, { action: folder.action })).toBeNull()
})
