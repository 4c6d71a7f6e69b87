import {
  decodeBatch,
  limits,
  packBatches,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'

import { nextTask } from '../../runtime/index.ts'
import { OpMap } from '../op-map.ts'
import { groupByTree, opIdInTree } from '../op-order.ts'
import { packEdits } from '../outbox-entries.ts'
import type { LocalDb, SegmentRow } from './local-db-schema.ts'
import { operationFromRow, rowFromOperation, rowKey, type TreeOperationRow } from './operation-row.ts'

/**
 * A tree's operations are stored in two places: in rows, one operation each, as t69 writes them; and in segments, a
 * batch of many. One id may be in both, or in two segments if a page came twice. A row takes precedence over segments,
 * and a later segment over an earlier one, so that the latest content is read. All functions run inside a transaction.
 */

/** Number of operations from which a segment is faster to write than rows (measured: about 25 times, at 100,000). */
const minSegmentOps = 64

/** How many operations are read in one task. A segment may have twice as many. */
const opsPerTurn = 10_000

export interface StoredTree {
  readonly segments: readonly SegmentRow[]
  readonly rows: readonly TreeOperationRow[]
}

/** Loads segments by id and rows by clock: an index lists equal keys in the order of their primary keys. */
export async function loadTree(db: LocalDb, spaceId: string, treeId: string): Promise<StoredTree> {
  const segments = await db.segments.where('[spaceId+treeId]').equals([spaceId, treeId]).toArray()
  const rows = await db.treeOps.where('[spaceId+treeId]').equals([spaceId, treeId]).toArray()
  return { segments, rows }
}

/** Returns each operation of a tree once, with its latest content. */
export function mergeTree(tree: StoredTree): OpMap<TreeOperation> {
  const ops = new OpMap<TreeOperation>()
  for (const piece of piecesOf(tree)) hold(ops, piece)
  return ops
}

/** Like `mergeTree`, and lets the page answer after each piece of a large tree. Not for inside a transaction. */
export async function mergeTreeInTurns(tree: StoredTree): Promise<OpMap<TreeOperation>> {
  const ops = new OpMap<TreeOperation>()
  let inTurn = 0
  for (const piece of piecesOf(tree)) {
    const count = 'batch' in piece ? piece.count : piece.length
    if (inTurn > 0 && inTurn + count > opsPerTurn) {
      await nextTask()
      inTurn = 0
    }
    hold(ops, piece)
    inTurn += count
  }
  return ops
}

type Piece = SegmentRow | readonly TreeOperationRow[]

/** The parts of a tree that are read at once, in the order in which a later one takes precedence. */
function* piecesOf({ segments, rows }: StoredTree): Generator<Piece> {
  yield* segments
  for (let start = 0; start < rows.length; start += opsPerTurn) yield rows.slice(start, start + opsPerTurn)
}

function hold(ops: OpMap<TreeOperation>, piece: Piece): void {
  const held = 'batch' in piece ? decodeBatch(piece.batch).ops : piece.map(operationFromRow)
  for (const op of held) if (op !== undefined) ops.set(op, op)
}

/**
 * Stores operations: a few as rows, many as segments. Operations that are received in a reconciliation (`logId`), or
 * would be taken for strays as rows (`asSegments`), always become segments. One that no batch accepts becomes a row.
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
  for (const [treeId, treeOps] of groupByTree(ops)) {
    const { entries, refused } = packEdits(spaceId, treeOps, limits.batchBudgetBytes)
    await db.treeOps.bulkPut(refused.map(({ op }) => rowFromOperation(op)))
    const batched = refused.length === 0 ? treeOps : entries.flatMap((entry) => entry.ops)
    await removeRows(db, spaceId, treeId, batched)
    for (const { ops: inBatch, batch } of entries) {
      await db.segments.add({ spaceId, treeId, logId, count: inBatch.length, batch })
    }
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

/** Deletes the rows that a segment replaces: by the keys of its operations, or of the tree's rows if those are fewer. */
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

/** Returns the ids of all trees that have a row or a segment. */
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

/** Returns for each tree with a row or a segment how many there are of each, and the newest: only new ones change a tree. */
export async function listTreeStates(db: LocalDb, spaceId: string): Promise<Map<TreeId, string>> {
  const states = new Map<TreeId, { rows: number; clock: number; segments: number; id: number }>()
  const stateOf = (treeId: string) => {
    const state = states.get(treeId as TreeId) ?? { rows: 0, clock: 0, segments: 0, id: 0 }
    states.set(treeId as TreeId, state)
    return state
  }
  for (const [clock, , treeId] of await db.treeOps.where('spaceId').equals(spaceId).primaryKeys()) {
    const state = stateOf(treeId)
    state.rows += 1
    state.clock = Math.max(state.clock, clock)
  }
  await db.segments
    .where('[spaceId+treeId]')
    .between([spaceId, ''], [spaceId, '\uffff'])
    .eachKey((key, cursor) => {
      if (!Array.isArray(key)) return
      const state = stateOf(String(key[1]))
      state.segments += 1
      state.id = Math.max(state.id, cursor.primaryKey)
    })
  return new Map(
    Array.from(states, ([treeId, { rows, clock, segments, id }]) => [
      treeId,
      `${rows}.${clock}.${segments}.${id}`,
    ]),
  )
}
