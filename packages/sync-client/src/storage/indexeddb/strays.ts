import { operationProblem, type SpaceId, type TreeId, type TreeOperation } from '@t69/protocol'

import type { LocalDb } from './local-db-schema.ts'
import { operationFromRow, rowKey, type TreeOperationRow } from './operation-row.ts'
import { enqueue, queuedIds } from './sync-rows.ts'
import { addSegments } from './tree-ops.ts'

/**
 * Whether a row is a stray: an edit that was stored without the outbox. A tab of an old t69 that is left open keeps
 * writing rows after the upgrade, and knows no outbox. Its peer ids contain letters, ours only digits. When a synced
 * space is reconciled with its log, the rows of such peers are folded into segments; one that turns up later is a stray.
 */
export function isStray(row: { readonly peerId: string }): boolean {
  return !/^\d+$/.test(row.peerId)
}

/** Rows folded in one transaction. Deleting one takes 0.25 ms in Chromium; an edit waits for one transaction at most. */
export const rowsPerTransaction = 256

type RowKey = ReturnType<typeof rowKey>

/** Returns the keys of the strays of a space, in one tree or in all. */
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

/**
 * Folds rows into segments, and returns the operations that were folded. A row that no batch accepts stays a row. Runs
 * inside a transaction.
 */
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

/** Puts strays into the outbox, each once, folds them, and returns the new ones. Runs inside a transaction. */
export async function takeStrays(
  db: LocalDb,
  spaceId: SpaceId,
  keys: readonly RowKey[],
): Promise<TreeOperation[]> {
  const sync = await db.sync.get(spaceId)
  // A reconciliation finds all of them.
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
