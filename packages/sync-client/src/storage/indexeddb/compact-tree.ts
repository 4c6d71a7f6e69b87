import { limits, operationProblem, type SpaceId, type TreeId, type TreeOperation } from '@t69/protocol'

import type { LocalDb, SegmentRow } from './local-db-schema.ts'
import { operationFromRow, rowKey, type TreeOperationRow } from './operation-row.ts'
import { isStray } from './strays.ts'
import { addSegments, mergeTree, type StoredTree } from './tree-ops.ts'

const maxLooseRows = 512
const maxSmallSegments = 16
const smallSegmentBytes = limits.batchBudgetBytes / 4
/** Deleting a row costs a quarter of a millisecond in Chromium; an edit waits for one transaction at most. */
const rowsPerTransaction = 256

/**
 * What would make a tree quicker to read: `tail` folds its rows and its last, small segments into one;
 * `all` rewrites it, since most of it is held twice (a log that was read from its start again).
 */
export type Compaction = 'tail' | 'all'

/** `distinct`: how many operations the tree has, each counted once. */
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
 * Rows are folded a bounded piece a transaction, while edits go on between. The outbox has its own copy of
 * what waits in it. Does nothing during a reconciliation, which needs to know how an operation came.
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
  // What was written past the outbox stays in sight until it is in there.
  const isLeft = (row: TreeOperationRow): boolean => sync !== undefined && isStray(row)
  const rows = await treeRows
    .filter((row) => !isLeft(row))
    .limit(rowsPerTransaction)
    .toArray()
  const folded: TreeOperation[] = []
  for (const row of rows) {
    const op = operationFromRow(row)
    if (op !== undefined && operationProblem(op) === undefined) folded.push(op)
  }
  const segments = await db.segments.where('[spaceId+treeId]').equals([spaceId, treeId]).toArray()
  // Only ever a run that ends in the last one: the new segment comes after all others, and counts before them.
  const merged = compaction === 'all' ? segments : smallTail(segments)
  if (folded.length === 0 && merged.length < 2) return false

  const ops = mergeTree({ segments: merged, rows: folded })
  await db.treeOps.bulkDelete(folded.map(rowKey))
  await db.segments.bulkDelete(merged.map((segment) => segment.id))
  await addSegments(db, spaceId, treeId, [...ops.values()], null)
  return folded.length > 0 && rows.length === rowsPerTransaction
}

function smallTail(segments: readonly SegmentRow[]): readonly SegmentRow[] {
  const large = segments.findLastIndex((segment) => segment.batch.length > smallSegmentBytes)
  return segments.slice(large + 1)
}
