import type { MoveVertex } from 'reptree'
import { expect, test } from 'vitest'

import { MoveLog } from './move-log.ts'
import { VertexNode, type MoveRecord } from './vertex-node.ts'

/** A log whose `insert` takes moves in the order of their counters, and returns the number of steps. */
function emptyLog(): { insert(moves: readonly MoveVertex[]): number } {
  const log = new MoveLog()
  const nodes = new Map([['0', new VertexNode('0')]])
  const node = (id: string): VertexNode => {
    const found = nodes.get(id) ?? new VertexNode(id)
    nodes.set(id, found)
    return found
  }
  return {
    insert(moves) {
      const before = log.work
      const records = moves.map((op): MoveRecord => ({
        op,
        target: node(op.targetId),
        parent: op.parentId === null ? null : node(op.parentId),
        before: undefined,
        applied: false,
        waits: false,
      }))
      for (const touched of log.insert(records)) touched.touched = false
      return log.work - before
    },
  }
}

const move = (counter: number, targetId: string, parentId: string | null, peerId = '1'): MoveVertex => ({
  id: { counter, peerId },
  targetId,
  parentId,
})

const root = move(1, 'root', null)
const chat = (messages: number): MoveVertex[] =>
  Array.from({ length: messages }, (_, index) =>
    move(10 + index, `m${index}`, index === 0 ? 'root' : `m${index - 1}`),
  )

/** Moves of the thousand children `v0`, `v1`, … below each other, with counters from `from` up. */
function wandering(count: number, from: number): MoveVertex[] {
  return Array.from({ length: count }, (_, index) =>
    move(from + index, `v${(index * 7919) % 1_000}`, `v${(index * 104_729 + 31) % 1_000}`),
  )
}

test('loading a chat takes one step per message, in one merge or in many', () => {
  const log = emptyLog()
  expect(log.insert([root])).toBe(1)
  expect(log.insert(chat(10_000))).toBe(10_000)
  const slow = emptyLog()
  slow.insert([root])
  expect(chat(1_000).reduce((work, op) => work + slow.insert([op]), 0)).toBe(1_000)
})

test('a late message takes one step, however many came after it', () => {
  const log = emptyLog()
  log.insert([root, ...chat(5_000)])
  expect(log.insert([move(500, 'late', 'm400', '2')])).toBe(1)
  expect(log.insert([move(501, 'later', 'late', '2'), move(502, 'latest', 'later', '2')])).toBe(2)
})

test('a chain that arrives from its end takes at most two steps per message', () => {
  const log = emptyLog()
  log.insert([root])
  const work = chat(5_000)
    .toReversed()
    .reduce((sum, op) => sum + log.insert([op]), 0)
  expect(work).toBeLessThanOrEqual(10_000)
})

test('4,000 late moves before 4,000 newer ones take at most twice the steps of a rebuild from the sorted log', () => {
  const vertices = [
    root,
    ...Array.from({ length: 1_000 }, (_, index) => move(10 + index, `v${index}`, 'root')),
  ]
  const older = wandering(4_000, 10_000)
  const newer = wandering(4_000, 20_000)
  const sorted = emptyLog()
  const rebuild = sorted.insert([...vertices, ...older, ...newer])
  const log = emptyLog()
  log.insert([...vertices, ...newer])
  expect(log.insert(older)).toBeLessThanOrEqual(2 * rebuild)
})
