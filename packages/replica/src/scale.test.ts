import type { VertexOperation } from 'reptree'
import { expect, test } from 'vitest'

import { Replica } from './replica.ts'

const root: VertexOperation = { id: { counter: 1, peerId: '1' }, targetId: 'root', parentId: null }

function vertices(count: number, parentOf: (index: number) => string): VertexOperation[] {
  return Array.from({ length: count }, (_, index): VertexOperation[] => [
    { id: { counter: 10 + 2 * index, peerId: '1' }, targetId: `v${index}`, parentId: parentOf(index) },
    {
      id: { counter: 11 + 2 * index, peerId: '1' },
      targetId: `v${index}`,
      key: 'n',
      value: index,
      transient: false,
    },
  ]).flat()
}

const chain = (depth: number): VertexOperation[] => [
  root,
  ...vertices(depth, (index) => (index === 0 ? 'root' : `v${index - 1}`)),
]

test('a chain of 20,000 can be merged from its end, compared, digested, printed and climbed', () => {
  const ops = chain(20_000)
  const tree = new Replica()
  for (const op of ops.toReversed()) tree.merge([op])
  const other = new Replica({ ops })
  expect(tree.digest()).toBe(other.digest())
  expect(tree.compareStructure(other)).toBe(true)
  expect(tree.getAncestors('v19999')).toHaveLength(20_000)
  expect(tree.isAncestor('v19999', 'root')).toBe(true)
  other.setVertexProperty('v19999', 'n', 'other')
  expect(tree.compareStructure(other)).toBe(false)
  expect(tree.digest()).not.toBe(other.digest())
  expect(new Replica({ ops: chain(2_000) }).printTree().split('\n')).toHaveLength(4_002)
})

/** The least of some runs: what the machine does besides only adds. */
function leastMs(run: () => void): number {
  return Math.min(
    ...Array.from({ length: 5 }, () => {
      const start = performance.now()
      run()
      return performance.now() - start
    }),
  )
}

const flat = (count: number): VertexOperation[] => [root, ...vertices(count, () => 'root')]

test.each([
  ['a chat', chain],
  ['children of one vertex', flat],
])('the time to load %s grows as its length does', (_name, make) => {
  const [eighth, whole] = [make(5_000), make(40_000)]
  const eighthMs = leastMs(() => new Replica({ ops: eighth }).dispose())
  const wholeMs = leastMs(() => new Replica({ ops: whole }).dispose())
  // Eight times as long; 64 times if it were quadratic.
  expect(wholeMs).toBeLessThan(24 * eighthMs)
})

test('a vertex whose children leave one by one costs no more for each the more there are', () => {
  const emptying = (count: number): number => {
    const ops = flat(count)
    const leave = Array.from({ length: count }, (_, index) => ({
      id: { counter: 1_000_000 + index, peerId: '1' },
      targetId: `v${index}`,
      parentId: '0',
    }))
    return leastMs(() => {
      const tree = new Replica({ ops })
      for (const op of leave) tree.merge([op])
      expect(tree.getChildrenIds('root')).toEqual([])
      expect(tree.getChildrenIds('0')).toHaveLength(count)
    })
  }
  expect(emptying(40_000)).toBeLessThan(24 * emptying(5_000))
})

test('moves deep in a chain cost no more for each the deeper the chain is', () => {
  const moving = (depth: number): number => {
    const tree = new Replica({ ops: chain(depth) })
    let counter = 1_000_000
    return leastMs(() => {
      // The middle of the chain, with all below it, goes up and back down.
      for (let turn = 0; turn < 2_000; turn++) {
        const parentId = turn % 2 === 0 ? 'v1' : `v${depth / 2 - 1}`
        tree.merge([{ id: { counter: counter++, peerId: '1' }, targetId: `v${depth / 2}`, parentId }])
      }
    })
  }
  // Climbing would take 16 times as long.
  expect(moving(32_000)).toBeLessThan(6 * moving(2_000))
})
