import { decodeBatch, encodeBatch, hasSameContent, type SpaceId, type TreeOperation } from '@t69/protocol'

import { groupByTree, opIdInTree } from '../op-order.ts'
import type { LocalDb } from './local-db-schema.ts'
import { operationFromRow, rowKey } from './operation-row.ts'

/**
 * Removes operations from their trees, from rows and segments. An operation of the log with the same id and another
 * content stays. Runs inside a transaction.
 */
export async function discardOps(
  db: LocalDb,
  spaceId: SpaceId,
  ops: readonly TreeOperation[],
): Promise<void> {
  for (const [treeId, treeOps] of groupByTree(ops)) {
    const discarded = new Map(treeOps.map((op) => [opIdInTree(op), op]))
    const isDiscarded = (op: TreeOperation): boolean => {
      const other = discarded.get(opIdInTree(op))
      return other !== undefined && hasSameContent(op, other)
    }
    for (const row of await db.treeOps.bulkGet(treeOps.map(rowKey))) {
      const op = row === undefined ? undefined : operationFromRow(row)
      if (op !== undefined && isDiscarded(op)) await db.treeOps.delete(rowKey(op))
    }
    for (const segment of await db.segments.where('[spaceId+treeId]').equals([spaceId, treeId]).toArray()) {
      const held = decodeBatch(segment.batch).ops
      const kept = held.filter((op) => !isDiscarded(op))
      if (kept.length === held.length) continue
      if (kept.length === 0) await db.segments.delete(segment.id)
      else
        await db.segments.put({ ...segment, count: kept.length, batch: encodeBatch({ spaceId, ops: kept }) })
    }
  }
}
