import {
  decodeBatch,
  operationProblem,
  packBatches,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'

import { groupByTree, opIdInTree } from '../op-order.ts'
import type { LocalDb, SegmentRow } from './local-db-schema.ts'
import { operationFromRow, rowFromOperation, rowKey, type TreeOperationRow } from './operation-row.ts'

/**
 * A tree's operations rest in two places: rows, one each, as t69 writes them; and segments, a batch of
 * many. One id may be in both, or twice, when the same page came again. A row counts before segments, a later
 * segment before an earlier one, so that what came last is what is read. These functions run inside a transaction.
 */

/** From here on, a segment is quicker to write than rows (measured: some 25 times, at 100,000). */
const minSegmentOps = 64

export interface StoredTree {
  readonly segments: readonly SegmentRow[]
  readonly rows: readonly TreeOperationRow[]
}

/** Segments in the order of their ids, rows in that of their clocks: an index lists equal keys by primary key. */
export async function loadTree(db: LocalDb, spaceId: string, treeId: string): Promise<StoredTree> {
  const segments = await db.segments.where('[spaceId+treeId]').equals([spaceId, treeId]).toArray()
  const rows = await db.treeOps.where('[spaceId+treeId]').equals([spaceId, treeId]).toArray()
  return { segments, rows }
}

/** Each operation once, the content that counts. */
export function mergeTree({ segments, rows }: StoredTree): Map<string, TreeOperation> {
  const ops = new Map<string, TreeOperation>()
  for (const { batch } of segments) {
    for (const op of decodeBatch(batch).ops) ops.set(opIdInTree(op), op)
  }
  for (const row of rows) {
    const op = operationFromRow(row)
    if (op !== undefined) ops.set(opIdInTree(op), op)
  }
  return ops
}

/**
 * Few operations become rows; many, or any that a log was just seen to hold (`logId`) or that would be taken
 * for strays as rows (`asSegments`), segments. What no batch takes stays a row.
 */
export async function writeOps(
  db: LocalDb,
  spaceId: SpaceId,
  ops: readonly TreeOperation[],
  logId: string | null,
  asSegments = false,
): Promise<void> {
  if (logId === null && ops.length < minSegmentOps && !asSegments) {
    await db.treeOps.bulkPut(ops.map(rowFromOperation))
    return
  }
  const odd = ops.filter((op) => operationProblem(op) !== undefined)
  const plain = odd.length === 0 ? ops : ops.filter((op) => operationProblem(op) === undefined)
  await db.treeOps.bulkPut(odd.map(rowFromOperation))
  for (const [treeId, treeOps] of groupByTree(plain)) {
    await removeRows(db, spaceId, treeId, treeOps)
    await addSegments(db, spaceId, treeId, treeOps, logId)
  }
}

export async function addSegments(
  db: LocalDb,
  spaceId: SpaceId,
  treeId: TreeId,
  ops: readonly TreeOperation[],
  logId: string | null,
): Promise<void> {
  for (const { bytes, count } of packBatches(spaceId, ops)) {
    await db.segments.add({ spaceId, treeId, logId, count, batch: bytes })
  }
}

/** Takes away the rows that a segment replaces: by their keys, or by the tree's when those are fewer. */
async function removeRows(
  db: LocalDb,
  spaceId: SpaceId,
  treeId: TreeId,
  ops: readonly TreeOperation[],
): Promise<void> {
  const rows = db.treeOps.where('[spaceId+treeId]').equals([spaceId, treeId])
  const count = await rows.count()
  if (count === 0) return
  if (count > ops.length) {
    await db.treeOps.bulkDelete(ops.map(rowKey))
    return
  }
  const replaced = new Set(ops.map(opIdInTree))
  const keys = await rows.primaryKeys()
  await db.treeOps.bulkDelete(keys.filter(([clock, peerId]) => replaced.has(`${clock}@${peerId}`)))
}

/** Every tree of which there is a row or a segment. */
export async function listTreeIds(db: LocalDb, spaceId: string): Promise<TreeId[]> {
  const treeIds = new Set<TreeId>()
  for (const table of [db.segments, db.treeOps]) {
    const keys = await table
      .where('[spaceId+treeId]')
      .between([spaceId, ''], [spaceId, '\uffff'])
      .uniqueKeys()
    for (const key of keys) if (Array.isArray(key)) treeIds.add(String(key[1]) as TreeId)
  }
  return [...treeIds]
}
