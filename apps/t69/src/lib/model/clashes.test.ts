import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { clashOf, type Clash } from './clashes.ts'
import { deleteItem } from './deletions.ts'
import { addItem, layOutSpace, moveItem, renameItem } from './space-tree.ts'
import type { Tree } from './tree.ts'
import { record, type Change } from './undo.ts'

/** Anna's page and Ben's, which have not heard of each other's edits yet. */
async function apart() {
  const space = await localSpace()
  const anna = space.root
  layOutSpace(anna)
  const [summer, winter] = ['Summer', 'Winter'].map((title) => addItem(anna, { title }))
  const chat = addItem(anna, { title: 'Trip', treeId: 't1', folderId: summer! })
  const ben = anna.replicate('ben')
  const unsent: Change[] = []
  return {
    anna,
    ben,
    summer: summer!,
    winter: winter!,
    chat,
    act(ids: readonly string[], change: (tree: Tree) => void) {
      unsent.push(...record('s', anna, ids, () => change(anna)).changes)
    },
    /** What Anna hears of when Ben's edits arrive. */
    meet(): Clash[] {
      const found: Clash[] = []
      const stop = anna.observeOpApplied((op) => {
        const clash = op.id.peerId === 'ben' ? clashOf(anna, unsent, op) : null
        if (clash !== null) found.push(clash)
      })
      anna.merge(ben.getAllOps())
      stop()
      return found
    },
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}

test('of two renames at the same time, one stays, and the other one is told of', async () => {
  await using it = await apart()
  it.act([it.chat], (tree) => renameItem(tree, it.chat, 'Sea'))
  renameItem(it.ben, it.chat, 'Lake')
  const [clash] = it.meet()
  expect(clash).toMatchObject({
    kind: 'title',
    itemId: it.chat,
    mine: 'Sea',
    theirs: 'Lake',
    op: { peerId: 'ben' },
  })
  const shown = it.anna.getVertexProperty(it.chat, 'title')
  expect(shown).toBe(clash!.isMineKept ? 'Sea' : 'Lake')
})

test('a later rename wins, and an earlier one is told of as well', async () => {
  for (const extra of ['anna', 'ben'] as const) {
    await using it = await apart()
    // Whoever has made more edits since has the later clock.
    renameItem(extra === 'anna' ? it.anna : it.ben, it.winter, 'x')
    renameItem(extra === 'anna' ? it.anna : it.ben, it.winter, 'y')
    it.act([it.chat], (tree) => renameItem(tree, it.chat, 'Sea'))
    renameItem(it.ben, it.chat, 'Lake')
    expect(it.meet()).toMatchObject([{ kind: 'title', isMineKept: extra === 'anna' }])
  }
})

test('two moves, and a deletion of what was changed or of the folder it is in, are told of', async () => {
  {
    await using it = await apart()
    it.act([it.chat], (tree) => moveItem(tree, it.chat, it.winter))
    moveItem(it.ben, it.chat, null)
    expect(it.meet()).toMatchObject([{ kind: 'place', itemId: it.chat, mine: it.winter }])
  }
  {
    await using it = await apart()
    it.act([it.chat], (tree) => renameItem(tree, it.chat, 'Sea'))
    deleteItem(it.ben, it.chat, null)
    expect(it.meet()).toMatchObject([{ kind: 'deleted', itemId: it.chat }])
  }
  {
    await using it = await apart()
    it.act([it.chat], (tree) => moveItem(tree, it.chat, it.winter))
    deleteItem(it.ben, it.winter, null)
    expect(it.meet()).toMatchObject([{ kind: 'deleted', itemId: it.winter }])
  }
})

test('edits that agree, or of other things, are no clash', async () => {
  await using it = await apart()
  it.act([it.chat], (tree) => renameItem(tree, it.chat, 'Sea'))
  it.act([it.winter], (tree) => deleteItem(tree, it.winter, null))
  renameItem(it.ben, it.chat, 'Sea')
  deleteItem(it.ben, it.winter, null)
  renameItem(it.ben, it.summer, 'Summertime')
  expect(it.meet()).toEqual([])
})
