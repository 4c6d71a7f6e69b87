import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { addMessage, addVersion, layOutChat, messageOf, threadOf } from './chat-tree.ts'
import { deletedMessagesOf, deleteMessage } from './deleted-messages.ts'
import { deleteItem } from './deletions.ts'
import {
  addItem,
  canMove,
  folderOf,
  forestRows,
  isShown,
  layOutSpace,
  moveItem,
  renameItem,
  titleOf,
} from './space-tree.ts'
import { edit, type Tree } from './tree.ts'
import { record, undoAction, type Change, type UndoContext } from './undo.ts'

const mark = { at: 1_000, by: { id: 'a1', name: 'Anna' } }

/** A page that records what its user does in one tree, as the app does. */
function page(tree: Tree) {
  const done: (readonly Change[])[] = []
  const undone: (readonly Change[])[] = []
  const context: UndoContext = {
    treeOf: () => tree,
    isOwn: (peerId) => peerId === tree.peerId,
    mark,
    canMark: true,
  }
  function take(from: (readonly Change[])[], to: (readonly Change[])[]) {
    const action = from.pop()
    if (action === undefined) return undefined
    const result = undoAction(action, context)
    if ('undone' in result) to.push(result.undone)
    return result
  }
  return {
    tree,
    act: <T>(ids: readonly string[], change: () => T): T => {
      const { result, changes } = record('t', tree, ids, change)
      done.push(changes)
      undone.length = 0
      return result
    },
    undo: () => take(done, undone),
    redo: () => take(undone, done),
    done,
  }
}

async function spaceOfTwo() {
  const space = await localSpace()
  const tree = space.root
  layOutSpace(tree)
  const folder = addItem(tree, { title: 'Summer' })
  const inner = addItem(tree, { title: 'Sea', folderId: folder })
  const ids = ['One', 'Two'].map((title, at) => addItem(tree, { title, treeId: `t${at}`, folderId: inner }))
  const other = tree.replicate('other')
  return {
    anna: page(tree),
    other,
    folder,
    inner,
    items: [folder, inner, ...ids],
    /** Both have everything then. */
    meet() {
      tree.merge(other.getAllOps())
      other.merge(tree.getAllOps())
      tree.flushEvents()
      other.flushEvents()
    },
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}

/** The sidebar with everything open, one line a row. */
function sidebar(tree: Tree): string[] {
  return forestRows(tree, () => true)
    .map(({ id, level }) => `${'  '.repeat(level - 1)}${titleOf(tree.getVertex(id)!)}`)
    .toSorted()
}

type Step = { readonly what: string; readonly at: number; readonly to: number }
const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom('rename', 'move', 'delete', 'pin', 'folder'),
  at: fc.nat(5),
  to: fc.nat(5),
})

/** Carries out a step as one action; `act` records it, or only makes it. */
function carryOut(tree: Tree, items: string[], { what, at, to }: Step, act: ReturnType<typeof page>['act']) {
  // One acts on what one sees.
  const seen = items.filter((id) => isShown(tree, id))
  const id = seen[at % seen.length]
  const target = seen[to % seen.length]
  if (id === undefined || target === undefined) return
  if (what === 'rename') act([id], () => renameItem(tree, id, `Title ${to}`))
  else if (what === 'pin')
    act([id], () => edit(tree, () => tree.setVertexProperty(id, 'pinned', to % 2 === 0)))
  else if (what === 'folder') {
    act([], () => void items.push(addItem(tree, { title: `Folder ${to}`, folderId: folderOf(tree, id) })))
  } else if (what === 'move' && canMove(tree, id, target)) act([id], () => moveItem(tree, id, target))
  else if (what === 'delete') act([id], () => deleteItem(tree, id, mark))
}

test('whatever one did, undoing all of it gives what was before, and redoing all of it what was after', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      await using it = await spaceOfTwo()
      const { anna, items } = it
      const states = [sidebar(anna.tree)]
      for (const each of steps) {
        const { length } = anna.done
        carryOut(anna.tree, items, each, anna.act)
        if (anna.done.length > length) states.push(sidebar(anna.tree))
      }
      const there: string[][] = [sidebar(anna.tree)]
      while (anna.done.length > 0) {
        expect(anna.undo()).toHaveProperty('undone')
        there.unshift(sidebar(anna.tree))
      }
      expect(there).toEqual(states)
      for (const state of states.slice(1)) {
        expect(anna.redo()).toHaveProperty('undone')
        expect(sidebar(anna.tree)).toEqual(state)
      }
    }),
    { numRuns: 150 },
  )
})

test('undoing leaves what somebody else wrote meanwhile as it is, and puts back what is still one’s own', async () => {
  const both = fc.array(fc.tuple(step, fc.boolean(), fc.boolean()), { maxLength: 10 })
  await fc.assert(
    fc.asyncProperty(both, async (steps) => {
      await using it = await spaceOfTwo()
      const { anna, other } = it
      const items = [...it.items]
      const plain = <T>(_ids: readonly string[], change: () => T): T => change()
      for (const [each, isAnnas, meet] of steps) {
        const known = items.filter((id) => (isAnnas ? anna.tree : other).getVertex(id) !== undefined)
        if (isAnnas) carryOut(anna.tree, known, each, anna.act)
        else carryOut(other, known, each, plain)
        for (const id of known) if (!items.includes(id)) items.push(id)
        if (meet) it.meet()
      }
      it.meet()
      /** What the other has written, and what it says. */
      const theirs = () =>
        items.flatMap((id) => {
          const vertex = anna.tree.getVertex(id)!
          const place = anna.tree.placerOf(id)?.peerId === 'other' ? [`${id} in ${vertex.parentId}`] : []
          const written = ['title', 'pinned', 'deleted'].flatMap((key) =>
            anna.tree.writerOf(id, key)?.peerId === 'other'
              ? [`${id} ${key} ${JSON.stringify(vertex.getProperty(key))}`]
              : [],
          )
          return [...place, ...written]
        })
      const before = theirs()
      const seen = new Set(forestRows(anna.tree, () => true).map(({ id }) => id))
      const made = items.filter((id) => seen.has(id) && anna.tree.placerOf(id)?.peerId === 'other')
      while (anna.done.length > 0) {
        const properties = anna.done.at(-1)!.filter((change) => change.kind === 'property')
        if (!('undone' in anna.undo()!)) continue
        expect(properties.map(({ vertexId, key }) => anna.tree.getVertexProperty(vertexId, key))).toEqual(
          properties.map((change) => change.before),
        )
      }
      expect(theirs()).toEqual(before)
      // Nor does anything that they put somewhere leave the screen.
      const after = new Set(forestRows(anna.tree, () => true).map(({ id }) => id))
      expect(made.filter((id) => !after.has(id))).toEqual([])
    }),
    { numRuns: 300 },
  )
})

test('an action that somebody else has changed since is refused, with the operation that changed it', async () => {
  await using it = await spaceOfTwo()
  const { anna, other, folder } = it
  anna.act([folder], () => renameItem(anna.tree, folder, 'Winter'))
  it.meet()
  renameItem(other, folder, 'Autumn')
  it.meet()
  expect(anna.undo()).toMatchObject({ refused: { by: { treeId: 't', peerId: 'other' } } })
  expect(titleOf(anna.tree.getVertex(folder)!)).toBe('Autumn')
})

test('a folder that somebody else has put something into is not taken back', async () => {
  await using it = await spaceOfTwo()
  const { anna, other, items } = it
  const made = anna.act([], () => addItem(anna.tree, { title: 'New' }))
  it.meet()
  moveItem(other, items[2]!, made)
  it.meet()
  expect(anna.undo()).toMatchObject({ refused: { by: { peerId: 'other' } } })
  expect(sidebar(anna.tree)).toContain('  One')
})

test('a folder that somebody else has renamed or deleted too is not taken back', async () => {
  for (const change of [
    (tree: Tree, id: string) => renameItem(tree, id, 'Theirs'),
    (tree: Tree, id: string) => void deleteItem(tree, id, mark),
  ]) {
    await using it = await spaceOfTwo()
    const { anna, other } = it
    const made = anna.act([], () => addItem(anna.tree, { title: 'New' }))
    it.meet()
    change(other, made)
    it.meet()
    expect(anna.undo()).toMatchObject({ refused: { by: { peerId: 'other' } } })
  }
})

test('what returns to a folder that is gone meanwhile goes to the top', async () => {
  await using it = await spaceOfTwo()
  const { anna, other, inner, items } = it
  anna.act([items[2]!], () => moveItem(anna.tree, items[2]!, null))
  it.meet()
  deleteItem(other, inner, mark)
  it.meet()
  expect(anna.undo()).toHaveProperty('undone')
  expect(sidebar(anna.tree)).toContain('One')
})

test('an edit that changes a vertex it did not name throws, rather than being undone in part', async () => {
  await using it = await spaceOfTwo()
  const { anna, folder } = it
  expect(() => anna.act([], () => renameItem(anna.tree, folder, 'x'))).toThrow('did not name')
})

async function chatOfTwo() {
  const space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'A chat')
  const ids = ['one', 'two', 'three'].map((text, at) =>
    addMessage(tree, { role: 'user', text, createdAt: at }),
  )
  const other = tree.replicate('other')
  return {
    anna: page(tree),
    other,
    ids,
    meet() {
      tree.merge(other.getAllOps())
      other.merge(tree.getAllOps())
    },
    texts: () => threadOf(tree).map(({ id }) => messageOf(tree.getVertex(id)!).text),
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}

test('an edit of a message is undone with the reply to it, and redone, as often as one likes', async () => {
  await using it = await chatOfTwo()
  const { anna } = it
  const entry = threadOf(anna.tree)[1]!
  const better = { role: 'user' as const, text: 'two, better', createdAt: 5 }
  anna.act(entry.versions, () => addVersion(anna.tree, entry, better))
  addMessage(anna.tree, { role: 'assistant', text: 'reply', createdAt: 6 })
  for (let round = 0; round < 3; round++) {
    expect(it.texts()).toEqual(['one', 'two, better', 'reply'])
    expect(anna.undo()).toHaveProperty('undone')
    expect(it.texts()).toEqual(['one', 'two', 'three'])
    expect(deletedMessagesOf(anna.tree).map(({ text }) => text)).toEqual(['two, better'])
    expect(anna.redo()).toHaveProperty('undone')
  }
})

test('an edit that somebody else has answered is not undone, nor is one that was redone before', async () => {
  await using it = await chatOfTwo()
  const { anna, other } = it
  const entry = threadOf(anna.tree)[1]!
  const better = { role: 'user' as const, text: 'two, better', createdAt: 5 }
  anna.act(entry.versions, () => addVersion(anna.tree, entry, better))
  anna.undo()
  anna.redo()
  it.meet()
  addMessage(other, { role: 'user', text: 'I see', createdAt: 7 })
  it.meet()
  expect(anna.undo()).toMatchObject({ refused: { by: { peerId: 'other' } } })
  expect(it.texts()).toEqual(['one', 'two, better', 'I see'])
})

test('the deletion of a message is undone and redone, whatever somebody else has written after it', async () => {
  await using it = await chatOfTwo()
  const { anna, other, ids } = it
  anna.act([ids[1]!], () => deleteMessage(anna.tree, [ids[1]!], mark))
  it.meet()
  addMessage(other, { role: 'user', text: 'four', createdAt: 7 })
  it.meet()
  expect(anna.undo()).toHaveProperty('undone')
  expect(it.texts()).toEqual(['one', 'two', 'three', 'four'])
  expect(anna.redo()).toHaveProperty('undone')
  expect(it.texts()).toEqual(['one', 'three', 'four'])
})
