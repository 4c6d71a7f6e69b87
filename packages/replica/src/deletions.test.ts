import * as fc from 'fast-check'
import type { VertexOperation } from 'reptree'
import { expect, test } from 'vitest'

import { deletionsOf, restoreDeletion, stillDeleted, type Deletion } from './deletions.ts'
import { Replica } from './replica.ts'
import { anyHistory, deliveryOf } from './testing/histories.ts'

/** Everything in view, with siblings in the order of `children`. */
function inView(tree: Replica): unknown {
  const lines: unknown[] = []
  const waiting = tree.root === undefined ? [] : [{ vertex: tree.root, level: 0 }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { vertex, level } = next
    lines.push([level, vertex.id, vertex.getProperties()])
    waiting.push(...vertex.children.map((child) => ({ vertex: child, level: level + 1 })).toReversed())
  }
  return lines
}

function idsInView(tree: Replica): Set<string> {
  return new Set((inView(tree) as [number, string][]).map(([, id]) => id))
}

const idsOf = (deletion: Deletion): string[] => deletion.roots.map(({ id }) => id)

/** The shape of a tree: `{ a: { b: {} } }` has b in a. The names are the ids. */
interface Plan {
  readonly [id: string]: Plan
}

function planted(plan: Plan): Replica {
  let clock = 0
  const ops: VertexOperation[] = []
  const plant = (parentId: string | null, below: Plan): void => {
    for (const [targetId, inside] of Object.entries(below)) {
      ops.push({ id: { counter: ++clock, peerId: '1' }, targetId, parentId })
      plant(targetId, inside)
    }
  }
  plant(null, { root: plan })
  return new Replica({ treeId: 'root', peerId: '2', ops })
}

test('vertices deleted by one action are one group, with their roots, their former parents and a count', () => {
  const tree = planted({ a: { b: { c: {} }, d: {} }, e: {}, f: {} })
  for (const id of ['b', 'a', 'e']) tree.deleteVertex(id)
  const [deletion, ...others] = deletionsOf(tree)
  expect(others).toEqual([])
  expect(deletion).toMatchObject({ peerId: '2', vertices: 5 })
  expect(deletion?.roots).toMatchObject([
    { id: 'b', parentId: 'a', vertices: 2 },
    { id: 'a', parentId: 'root', vertices: 2 },
    { id: 'e', parentId: 'root', vertices: 1 },
  ])
  // Of seven vertices, the root and f are left.
  expect(deletion?.share).toBe(5 / 7)
})

test('deletions are grouped by peer, by pauses, and as the caller says, newest first', () => {
  const tree = planted({ a: {}, b: {}, c: {}, d: {}, e: {} })
  tree.deleteVertex('a')
  for (let edits = 0; edits < 20; edits++) tree.setVertexProperty('root', 'k', edits)
  tree.deleteVertex('b')
  const other = tree.replicate('3')
  other.deleteVertex('c')
  tree.deleteVertex('d')
  tree.merge(other.getMoveOps())
  tree.deleteVertex('e')
  expect(deletionsOf(tree).map(idsOf)).toEqual([['b', 'd', 'e'], ['c'], ['a']])
  const isApart = (earlier: { readonly id: string }): boolean => earlier.id === 'b'
  expect(deletionsOf(tree, { isApart }).map(idsOf)).toEqual([['d', 'e'], ['c'], ['b'], ['a']])
})

test('restoring leaves vertices alone that have come back or were deleted again', () => {
  const tree = planted({ a: {}, b: {}, c: {}, d: { e: {} } })
  for (const id of ['a', 'b', 'c', 'e']) tree.deleteVertex(id)
  const [deletion] = deletionsOf(tree)
  tree.moveVertex('a', 'd')
  tree.moveVertex('b', 'root')
  tree.deleteVertex('b')
  expect(restoreDeletion(tree, deletion!)).toEqual(['c', 'e'])
  expect(restoreDeletion(tree, deletion!)).toEqual([])
  expect([tree.getVertex('a')?.parentId, tree.getVertex('e')?.parentId]).toEqual(['d', 'd'])
  expect(deletionsOf(tree).map(idsOf)).toEqual([['b']])
})

test('restoring brings back a vertex that somebody else is found to have deleted even earlier', () => {
  const tree = planted({ a: {}, b: {} })
  const other = tree.replicate('1111')
  other.deleteVertex('a')
  tree.deleteVertex('b')
  tree.deleteVertex('a')
  const [deletion] = deletionsOf(tree)
  tree.merge(other.getMoveOps())
  expect(stillDeleted(tree, deletion!.roots)).toHaveLength(2)
  expect(new Set(restoreDeletion(tree, deletion!))).toEqual(new Set(['a', 'b']))
})

test('a vertex whose parent was deleted separately is restored under the nearest vertex in view', () => {
  const tree = planted({ a: { b: { c: { d: {} } } } })
  tree.deleteVertex('d')
  const [first] = deletionsOf(tree)
  const other = tree.replicate('3')
  other.deleteVertex('c')
  other.deleteVertex('b')
  tree.merge(other.getMoveOps())
  restoreDeletion(tree, first!)
  expect(tree.getVertex('d')?.parentId).toBe('a')
  const [second] = deletionsOf(tree)
  restoreDeletion(tree, second!)
  expect(['b', 'c'].map((id) => tree.getVertex(id)?.parentId)).toEqual(['a', 'b'])
})

test('two vertices that were each inside the other are both restored', () => {
  const tree = planted({ x: { f: { y: {} } } })
  tree.deleteVertex('f')
  tree.moveVertex('x', 'y')
  tree.moveVertex('f', 'root')
  tree.deleteVertex('x')
  tree.deleteVertex('f')
  const all = deletionsOf(tree)
  restoreDeletion(tree, all[0]!)
  expect(idsInView(tree)).toEqual(new Set(['root', 'x', 'f', 'y']))

  const knotted = planted({ x: { f: { y: {} } } })
  knotted.deleteVertex('f')
  knotted.moveVertex('x', 'y')
  knotted.deleteVertex('x')
  restoreDeletion(knotted, deletionsOf(knotted)[0]!)
  expect(idsInView(knotted)).toEqual(new Set(['root', 'x', 'f', 'y']))
})

test('a vertex whose former ancestors form a circle is restored under the root', () => {
  const tree = planted({ x: { f: { y: { z: {} } } } })
  tree.deleteVertex('z')
  const [deletion] = deletionsOf(tree)
  const other = tree.replicate('3')
  other.deleteVertex('f')
  other.moveVertex('x', 'y')
  other.deleteVertex('x')
  tree.merge(other.getMoveOps())
  restoreDeletion(tree, deletion!)
  expect(tree.getVertex('z')?.parentId).toBe('root')
})

test('restored siblings are in their old order, whichever was deleted first', () => {
  const tree = planted({ a: {}, b: {}, c: {}, d: {} })
  for (const id of ['d', 'b', 'c']) tree.deleteVertex(id)
  restoreDeletion(tree, deletionsOf(tree)[0]!)
  expect(tree.getChildrenIds('root')).toEqual(['a', 'b', 'c', 'd'])
})

const edit = fc.record({
  peer: fc.nat(2),
  kind: fc.constantFrom('create', 'create', 'create', 'move', 'delete', 'write', 'sync', 'restore'),
  which: fc.nat(),
  where: fc.nat(),
})
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never

function play(trees: readonly Replica[], edits: readonly Edit[]): void {
  for (const { peer, kind, which, where } of edits) {
    const tree = trees[peer % trees.length]!
    const ids = tree
      .getAllVertices()
      .map((vertex) => vertex.id)
      .filter((id) => id !== '0')
    const id = ids[which % ids.length]!
    const isRoot = id === 'root'
    const place = ids[where % ids.length]!
    if (kind === 'create') tree.newVertex(id, { n: where % 9 })
    else if (kind === 'write') tree.setVertexProperty(id, 'n', where % 9)
    else if (kind === 'delete' && !isRoot) tree.deleteVertex(id)
    else if (kind === 'sync') tree.merge(trees[where % trees.length]!.getAllOps())
    else if (kind === 'restore') {
      const all = deletionsOf(tree)
      if (all.length > 0) restoreDeletion(tree, all[which % all.length]!)
    } else if (kind === 'move' && !isRoot && id !== place && !tree.isAncestor(place, id)) {
      tree.moveVertex(id, place)
    }
  }
}

/** Replicas of one tree that have edited it separately and together. */
function worked(edits: readonly Edit[]): Replica[] {
  const start = Replica.create('root', { peerId: '9' }).popLocalOps()
  const trees = ['1', '22', '333'].map((peerId) => new Replica({ treeId: 'root', peerId, ops: start }))
  play(trees, edits)
  for (const tree of trees) tree.merge(trees.flatMap((other) => other.getAllOps()))
  return trees
}

const work = fc.array(edit, { maxLength: 50 })
const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 12 })

test('if nothing else happened, restoring shows the tree as it was, order of siblings included', () => {
  fc.assert(
    fc.property(work, picks, (edits, choices) => {
      const tree = worked(edits)[0]!
      // Earlier deletions stay deleted: the new one must not be grouped with them.
      for (let edits = 0; edits < 20; edits++) tree.setVertexProperty('root', 'k', edits)
      const [before, idsBefore] = [inView(tree), tree.getDeletedVertices().length]
      const deleted = new Set<string>()
      for (const choice of choices) {
        const ids = [...idsInView(tree)].filter((id) => id !== 'root')
        const id = ids[choice % ids.length]
        if (id === undefined) break
        tree.deleteVertex(id)
        deleted.add(id)
      }
      if (deleted.size === 0) return
      const size = (before as unknown[]).length
      const taken = size - idsInView(tree).size
      const [deletion] = deletionsOf(tree)
      expect(new Set(idsOf(deletion!))).toEqual(deleted)
      expect(deletion?.share).toBe(deletion!.vertices / (size + deletion!.vertices - taken))
      restoreDeletion(tree, deletion!)
      expect(inView(tree)).toEqual(before)
      expect(tree.getDeletedVertices()).toHaveLength(idsBefore)
    }),
    { numRuns: 300 },
  )
})

test('after any edits, a restored deletion is in view, and two devices that restore it at once agree', () => {
  fc.assert(
    fc.property(work, work, fc.nat(), fc.infiniteStream(fc.nat()), (edits, meanwhile, which, order) => {
      const trees = worked(edits)
      const [one, two] = trees as [Replica, Replica]
      const all = deletionsOf(one)
      if (all.length === 0) return
      const deletion = all[which % all.length]!
      // The other device has made edits that the first has not seen.
      play([two], meanwhile)
      for (const tree of [one, two]) {
        const restored = restoreDeletion(tree, deletion)
        const shown = idsInView(tree)
        expect(restored.filter((id) => !shown.has(id))).toEqual([])
        expect(restoreDeletion(tree, deletion)).toEqual([])
        expect(stillDeleted(tree, deletion.roots)).toEqual([])
      }
      const ops = [...one.getAllOps(), ...two.getAllOps()]
      one.merge(two.getAllOps())
      two.merge(one.getAllOps())
      const shuffled = new Replica({ treeId: 'root' })
      for (const { op } of ops
        .map((op) => ({ op, at: order.next().value ?? 0 }))
        .toSorted((a, b) => a.at - b.at))
        shuffled.merge([op])
      for (const tree of [two, shuffled]) {
        expect(tree.digest()).toBe(one.digest())
        expect(inView(tree)).toEqual(inView(one))
        expect(deletionsOf(tree)).toEqual(deletionsOf(one))
      }
      const listed = (inView(one) as [number, string][]).map(([, id]) => id)
      expect(new Set(listed).size).toBe(listed.length)
    }),
    { numRuns: 300 },
  )
})

test('a deleted vertex that has the root below it is not restored', () => {
  const move = (counter: number, peerId: string, targetId: string, parentId: string): VertexOperation => ({
    id: { counter, peerId },
    targetId,
    parentId,
  })
  const ops = [
    move(2, 'z', 'r', 'a'),
    move(2, 'aa', 'a', 'b'),
    move(2, 'ch', 'a', '0'),
    move(1, 'aa', 'b', '0'),
  ]
  const tree = new Replica({ treeId: 'r', ops })
  expect(tree.getVertex('r')?.parentId).toBe('a')
  for (const deletion of deletionsOf(tree)) expect(restoreDeletion(tree, deletion)).toEqual([])
})

test('[RE2] any operations, in any order, give the same deletions, and restoring them does not throw', () => {
  const histories = anyHistory().chain((ops) => fc.tuple(fc.constant(ops), deliveryOf(ops)))
  fc.assert(
    fc.property(histories, ([ops, delivery]) => {
      const tree = new Replica({ treeId: 'r' })
      for (const batch of delivery) {
        tree.merge(batch)
        deletionsOf(tree)
      }
      const fresh = new Replica({ treeId: 'r', ops })
      const deletions = deletionsOf(fresh)
      expect(deletionsOf(tree)).toEqual(deletions)
      for (const deletion of deletions) {
        for (const replica of [tree, fresh]) restoreDeletion(replica, deletion)
      }
    }),
    { numRuns: 300 },
  )
})
