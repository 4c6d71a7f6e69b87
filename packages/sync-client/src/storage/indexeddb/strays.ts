import { operationProblem, type SpaceId, type TreeId, type TreeOperation } from '@t69/protocol'

import type { LocalDb } from './local-db-schema.ts'
import { operationFromRow, rowKey, type TreeOperationRow } from './operation-row.ts'
import { enqueue, queuedIds } from './sync-rows.ts'
import { addSegments } from './tree-ops.ts'

/**
 * A tab of an old t69 that is left open goes on writing rows after the upgrade, and knows of no outbox. Its
 * peers have letters in their ids, ours are digits. So once a space that syncs has met its log, and the rows
 * of such peers were folded into segments, one that turns up was written past the outbox.
 */
export function isStray(row: { readonly peerId: string }): boolean {
  return !/^\d+$/.test(row.peerId)
}

/** Deleting a row costs a quarter of a millisecond in Chromium, and an edit waits for one transaction at most. */
const rowsPerTransaction = 256

type RowKey = ReturnType<typeof rowKey>

/** The keys of a space's strays, of one tree or of all. */
export async function strayKeys(db: LocalDb, spaceId: SpaceId, treeId?: TreeId): Promise<RowKey[]> {
  const rows =
    treeId === undefined
      ? db.treeOps.where('spaceId').equals(spaceId)
      : db.treeOps.where('[spaceId+treeId]').equals([spaceId, treeId])
  return (await rows.primaryKeys()).filter(([, peerId]) => isStray({ peerId }))
}

export function inPieces(keys: readonly RowKey[]): RowKey[][] {
  const count = Math.ceil(keys.length / rowsPerTransaction)
  return Array.from({ length: count }, (_, piece) =>
    keys.slice(piece * rowsPerTransaction, (piece + 1) * rowsPerTransaction),
  )
}

/** Turns rows into segments. What no batch takes stays a row. Within a transaction; returns what was folded. */
export async function foldStrays(
  db: LocalDb,
  spaceId: SpaceId,
  keys: readonly RowKey[],
): Promise<TreeOperation[]> {
  const ops = await readRows(db, keys)
  const plain = ops.filter((op) => operationProblem(op) === undefined)
  await db.treeOps.bulkDelete(plain.map(rowKey))
  for (const [treeId, treeOps] of Map.groupBy(plain, (op) => op.treeId)) {
    await addSegments(db, spaceId, treeId, treeOps, null)
  }
  return plain
}

/** Puts strays into the outbox, each once, and folds them. Within a transaction; returns those that are new. */
export async function takeStrays(
  db: LocalDb,
  spaceId: SpaceId,
  keys: readonly RowKey[],
): Promise<TreeOperation[]> {
  const sync = await db.sync.get(spaceId)
  // A reconciliation sees them all.
  if (sync === undefined || sync.reconciling) return []
  const queued = await queuedIds(db, spaceId)
  const found = (await readRows(db, keys)).filter((op) => !queued.has(op))
  await enqueue(db, spaceId, found)
  await foldStrays(db, spaceId, keys)
  return found
}

async function readRows(db: LocalDb, keys: readonly RowKey[]): Promise<TreeOperation[]> {
  const rows: (TreeOperationRow | undefined)[] = await db.treeOps.bulkGet([...keys])
  return rows.flatMap((row) => (row === undefined ? [] : (operationFromRow(row) ?? [])))
}
