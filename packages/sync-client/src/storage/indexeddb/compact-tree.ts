import { limits, operationProblem, type SpaceId, type TreeId, type TreeOperation } from '@t69/protocol'

import type { LocalDb, SegmentRow } from './local-db-schema.ts'
import { operationFromRow, rowKey, type TreeOperationRow } from './operation-row.ts'
import { isStray, rowsPerTransaction } from './strays.ts'
import { addSegments, mergeTree, type StoredTree } from './tree-ops.ts'

/** Rows of a tree beyond which it is compacted. */
const maxLooseRows = 512
/** Small segments at the end of a tree beyond which it is compacted. */
const maxSmallSegments = 16
/** Size up to which a segment is small, in bytes. */
const smallSegmentBytes = limits.batchBudgetBytes / 4

/**
 * How to make a tree faster to read: `tail` folds its rows and its last, small segments into one; `all` rewrites the
 * tree, because most of it is stored twice (the log was read again from its start).
 */
export type Compaction = 'tail' | 'all'

/** Returns the compaction that a tree needs, if any. `distinct` counts each of its operations once. */
export function worthwhileCompaction(
  { rows, segments }: StoredTree,
  distinct: number,
): Compaction | undefined {
  const inSegments = segments.reduce((sum, segment) => sum + segment.count, 0)
  if (inSegments > distinct * 1.5 && segments.length > 1) return 'all'
  if (rows.length > maxLooseRows || smallTail(segments).length > maxSmallSegments) return 'tail'
  return undefined
}

/**
 * Compacts a tree, a bounded number of rows per transaction, so that edits need not wait. Leaves the outbox alone, which
 * has its own copy of the operations. Does nothing during a reconciliation, which has to know how an operation arrived.
 */
export async function compactTree(
  db: LocalDb,
  spaceId: SpaceId,
  treeId: TreeId,
  compaction: Compaction,
): Promise<void> {
  let next: Compaction = compaction
  const step = () =>
    db.transaction('rw', [db.treeOps, db.segments, db.sync], async () =>
      compactStep(db, spaceId, treeId, next),
    )
  while (await step()) next = 'tail'
}

/** Returns whether there may be more rows to fold. */
async function compactStep(
  db: LocalDb,
  spaceId: SpaceId,
  treeId: TreeId,
  compaction: Compaction,
): Promise<boolean> {
  const sync = await db.sync.get(spaceId)
  if (sync?.reconciling === true) return false
  const treeRows = db.treeOps.where('[spaceId+treeId]').equals([spaceId, treeId])
  // Strays stay rows until they are in the outbox: nobody would find them in a segment.
  const staysRow = (row: TreeOperationRow): boolean => sync !== undefined && isStray(row)
  const rows = await treeRows
    .filter((row) => !staysRow(row))
    .limit(rowsPerTransaction)
    .toArray()
  const folded: TreeOperation[] = []
  for (const row of rows) {
    const op = operationFromRow(row)
    if (op !== undefined && operationProblem(op) === undefined) folded.push(op)
  }
  const segments = await db.segments.where('[spaceId+treeId]').equals([spaceId, treeId]).toArray()
  // Only segments up to the last one are merged: the new segment comes after all others, and takes precedence.
  const merged = compaction === 'all' ? segments : smallTail(segments)
  if (folded.length === 0 && merged.length < 2) return false

  const ops = mergeTree({ segments: merged, rows: folded })
  await db.treeOps.bulkDelete(folded.map(rowKey))
  await db.segments.bulkDelete(merged.map((segment) => segment.id))
  await addSegments(db, spaceId, treeId, ops.values(), null)
  return folded.length > 0 && rows.length === rowsPerTransaction
}

function smallTail(segments: readonly SegmentRow[]): readonly SegmentRow[] {
  const large = segments.findLastIndex((segment) => segment.batch.length > smallSegmentBytes)
  return segments.slice(large + 1)
}
