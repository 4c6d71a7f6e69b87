import { packBatches, type TreeOperation } from '@t69/protocol'
import { expect, it } from 'vitest'

import { op, spaceId } from '../../machine/testing/machine-world.ts'
import { nextTask } from '../../runtime/index.ts'
import type { SegmentRow } from './local-db-schema.ts'
import { rowFromOperation } from './operation-row.ts'
import { mergeTree, mergeTreeInTurns, type StoredTree } from './tree-ops.ts'

function segmentsOf(ops: readonly TreeOperation[]): SegmentRow[] {
  const { treeId } = op(1)
  return Array.from(packBatches(spaceId, ops), ({ bytes, count }, index) => ({
    id: index + 1,
    spaceId,
    treeId,
    logId: null,
    count,
    batch: bytes,
  }))
}

const idOf = ({ clock, peerId, treeId, targetId }: TreeOperation) => ({
  spaceId,
  clock,
  peerId,
  treeId,
  targetId,
})
const many = Array.from({ length: 60_000 }, (_, index) => op(index + 1))
const tree: StoredTree = {
  segments: segmentsOf(many.slice(0, 40_000)),
  // Some of them again: a row takes precedence.
  rows: many.slice(30_000).map((one) => rowFromOperation({ ...idOf(one), key: 'from', value: 'a row' })),
}

it('a large tree is read in turns, between which the page can answer, and each operation is there once', async () => {
  let tasks = 0
  const reading = mergeTreeInTurns(tree)
  const isRead = reading.then(() => true)
  while (!(await Promise.race([isRead, nextTask().then(() => false)]))) tasks++
  const ops = await reading
  expect(ops.values()).toEqual(mergeTree(tree).values())
  expect(ops.size).toBe(60_000)
  // Sixty thousand operations, ten or twenty thousand in a task.
  expect(tasks).toBeGreaterThanOrEqual(3)
})

it('a small tree is read in one task', async () => {
  let tasks = 0
  const reading = mergeTreeInTurns({ segments: segmentsOf(many.slice(0, 5_000)), rows: [] })
  const isRead = reading.then(() => true)
  while (!(await Promise.race([isRead, nextTask().then(() => false)]))) tasks++
  expect([(await reading).size, tasks]).toEqual([5_000, 0])
})
