/// <reference types="node" />
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

test('a chain of 20,000 vertices can be merged from its end, compared, digested and climbed, and one of 2,000 printed', () => {
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

const flat = (count: number): VertexOperation[] => [root, ...vertices(count, () => 'root')]

// With so many vertices, a quadratic algorithm takes minutes and exceeds the timeout, while the right one takes about a
// second. The tests need no clock; bench/replica.ts measures the real times.
const many = 100_000
const patience = { timeout: 30_000 }

test.each([
  ['a chat of 100,000 messages', chain],
  ['100,000 children of one vertex', flat],
])('%s can be loaded', patience, (_name, make) => {
  using tree = new Replica({ ops: make(many) })
  expect(tree.getAllVertices()).toHaveLength(many + 2)
})

test('100,000 children can leave their parent one by one', patience, () => {
  using tree = new Replica({ ops: flat(many) })
  for (let index = 0; index < many; index++) {
    tree.merge([{ id: { counter: 1_000_000 + index, peerId: '1' }, targetId: `v${index}`, parentId: '0' }])
  }
  expect(tree.getChildrenIds('root')).toEqual([])
  expect(tree.getChildrenIds('0')).toHaveLength(many)
})

test('the middle of a chain of 100,000 vertices can move up and down 100,000 times', patience, () => {
  using tree = new Replica({ ops: chain(many) })
  const middle = `v${many / 2}`
  for (let turn = 0; turn < many; turn++) {
    const parentId = turn % 2 === 0 ? 'v1' : `v${many / 2 - 1}`
    tree.merge([{ id: { counter: 1_000_000 + turn, peerId: '1' }, targetId: middle, parentId }])
  }
  expect(tree.getAncestors(middle)).toHaveLength(many / 2 + 1)
})
