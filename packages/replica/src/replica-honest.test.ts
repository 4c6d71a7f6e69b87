import * as fc from 'fast-check'
import { RepTree, type VertexOperation } from 'reptree'
import { expect, test } from 'vitest'

import { compareOpIds } from './op-order.ts'
import { Replica } from './replica.ts'

const step = fc.record({
  peer: fc.nat(3),
  kind: fc.constantFrom('create', 'create', 'move', 'delete', 'write', 'remove', 'sync'),
  which: fc.nat(),
  where: fc.nat(),
})

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** The operations of peers that edit their own trees and sometimes merge those of another. */
function playedBy(trees: readonly RepTree[], steps: readonly Step[]): VertexOperation[] {
  for (const { peer, kind, which, where } of steps) {
    const tree = trees[peer % trees.length]!
    const ids = tree
      .getAllVertices()
      .map((vertex) => vertex.id)
      .filter((id) => id !== '0')
      .sort()
    const vertexId = ids[which % ids.length]!
    const isRoot = vertexId === tree.root!.id
    if (kind === 'create') tree.newVertex(vertexId, { name: `n${where}` })
    else if (kind === 'write') tree.setVertexProperty(vertexId, `k${where % 2}`, where)
    else if (kind === 'remove') tree.setVertexProperty(vertexId, 'k0', undefined)
    else if (kind === 'delete' && !isRoot) tree.deleteVertex(vertexId)
    else if (kind === 'sync') tree.merge(inOrder(trees[where % trees.length]!.getAllOps()))
    else if (kind === 'move') {
      const parentId = ids[where % ids.length]!
      if (!isRoot && parentId !== vertexId && !tree.isAncestor(parentId, vertexId)) {
        tree.moveVertex(vertexId, parentId)
      }
    }
  }
  const all = trees.flatMap((tree) => tree.getAllOps())
  return inOrder([...new Map(all.map((op) => [`${op.id.counter}@${op.id.peerId}`, op])).values()])
}

function inOrder(ops: readonly VertexOperation[]): VertexOperation[] {
  return ops.toSorted((a, b) => compareOpIds(a.id, b.id))
}

/** Parents and properties, without the order of children: in RepTree it depends on the order of arrival. */
function stateOf(tree: RepTree): unknown {
  return tree
    .getAllVertices()
    .map((vertex) => [vertex.id, vertex.parentId, vertex.getProperties()] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
}

const peers = ['1', '22', '333', '4444']

test('a replica shows the same state as RepTree for edits made with RepTree, however they are delivered', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.infiniteStream(fc.nat()), (steps, order) => {
      const seed = new RepTree('9')
      seed.createRoot()
      const start = seed.getAllOps()
      const trees = peers.map((peerId) => new RepTree(peerId, start))
      const ops = playedBy(trees, steps)
      for (const tree of trees) tree.merge(ops)
      const shuffled = ops
        .map((op) => ({ op, at: order.next().value ?? 0 }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ op }) => op)
      const replica = new Replica()
      for (const op of shuffled) replica.merge([op])
      expect(stateOf(replica)).toEqual(stateOf(new RepTree('8', ops)))
      expect(replica.compareStructure(trees[0]!)).toBe(true)
      expect(replica.compareMoveOps(trees[0]!)).toBe(true)
      for (const tree of [seed, ...trees]) stopTimer(tree)
    }),
    { numRuns: 150 },
  )
})

test('replicas that edit and exchange operations agree, and RepTree reads the same state', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const start = Replica.create('root', { peerId: '9' }).popLocalOps()
      const replicas = peers.map((peerId) => new Replica({ peerId, ops: start }))
      const ops = playedBy(replicas, steps)
      for (const replica of replicas) replica.merge(ops)
      const digests = new Set(replicas.map((replica) => replica.digest()))
      expect(digests.size).toBe(1)
      const bare = new RepTree('8', ops)
      expect(stateOf(bare)).toEqual(stateOf(replicas[0]!))
      stopTimer(bare)
    }),
    { numRuns: 150 },
  )
})

function stopTimer(tree: RepTree): void {
  ;(tree as unknown as { state: { dispose(): void } }).state.dispose()
}
