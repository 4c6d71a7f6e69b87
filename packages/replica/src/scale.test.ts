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

/** Processor time, which other processes do not add to; the least of some runs, as collected garbage only adds. */
function leastCpuUs(run: () => void): number {
  return Math.min(
    ...Array.from({ length: 3 }, () => {
      const start = process.cpuUsage()
      run()
      const { user, system } = process.cpuUsage(start)
      return user + system
    }),
  )
}

const flat = (count: number): VertexOperation[] => [root, ...vertices(count, () => 'root')]

// Many at once against as many in parts: the same if time is linear, 32 times as much if it is quadratic.
const few = 800
const times = 32
const bound = 14

test.each([
  ['a chat', chain],
  ['children of one vertex', flat],
])('the time to load %s grows as its length does', (_name, make) => {
  const [part, whole] = [make(few), make(few * times)]
  const inParts = leastCpuUs(() => {
    for (let index = 0; index < times; index++) new Replica({ ops: part }).dispose()
  })
  expect(leastCpuUs(() => new Replica({ ops: whole }).dispose())).toBeLessThan(bound * inParts)
})

test('the time in which all children leave a vertex one by one grows as their number does', () => {
  const empty = (count: number): void => {
    const tree = new Replica({ ops: flat(count) })
    for (let index = 0; index < count; index++) {
      tree.merge([{ id: { counter: 1_000_000 + index, peerId: '1' }, targetId: `v${index}`, parentId: '0' }])
    }
    expect(tree.getChildrenIds('root')).toEqual([])
    expect(tree.getChildrenIds('0')).toHaveLength(count)
  }
  const inParts = leastCpuUs(() => {
    for (let index = 0; index < times; index++) empty(few)
  })
  expect(leastCpuUs(() => empty(few * times))).toBeLessThan(bound * inParts)
})

test('moves deep in a chain cost hardly more for each the deeper the chain is', () => {
  const moving = (depth: number): number => {
    const tree = new Replica({ ops: chain(depth) })
    let counter = 1_000_000
    return leastCpuUs(() => {
      // The middle of the chain, with all below it, goes up and back down.
      for (let turn = 0; turn < 4_000; turn++) {
        const parentId = turn % 2 === 0 ? 'v1' : `v${depth / 2 - 1}`
        tree.merge([{ id: { counter: counter++, peerId: '1' }, targetId: `v${depth / 2}`, parentId }])
      }
    })
  }
  // Climbing would take 64 times as long.
  expect(moving(64_000)).toBeLessThan(bound * moving(1_000))
})
