import { decodeBatch, opKey, type SpaceId, type TreeOperation } from '@t69/protocol'

import type { RejectedEdit, SyncState } from '../client-storage.ts'
import { packEdits } from '../outbox-entries.ts'
import { beginsReconciliation } from '../reconciliation.ts'
import type { LocalDb, OutboxRow } from './local-db-schema.ts'
import { OpIdSet } from './op-id-set.ts'

/** Reads and writes the sync state, the outbox and the refused edits. All functions run inside a transaction. */

/** Stores the state, and marks where a reconciliation begins: segments written later were received in it. */
export async function moveState(db: LocalDb, spaceId: SpaceId, state: SyncState): Promise<void> {
  const row = await db.sync.get(spaceId)
  const { identity, logId, epoch, cursor, reconciling } = state
  let receivedAfter = row?.receivedAfter ?? 0
  if (beginsReconciliation(row, state)) {
    const lastId = await db.segments.toCollection().lastKey()
    receivedAfter = typeof lastId === 'number' ? lastId : 0
  }
  const pending = row?.pending ?? 0
  await db.sync.put({ spaceId, identity, logId, epoch, cursor, reconciling, pending, receivedAfter })
}

/** Puts edits of a synced space into the outbox, and files those that no server accepts. Returns how many it queued. */
export async function enqueue(db: LocalDb, spaceId: SpaceId, ops: readonly TreeOperation[]): Promise<number> {
  const { entries, refused } = packEdits(spaceId, ops)
  let count = 0
  for (const entry of entries) {
    await db.outbox.add({ spaceId, count: entry.ops.length, batch: entry.batch })
    count += entry.ops.length
  }
  await addPending(db, spaceId, count)
  await fileRejected(db, spaceId, refused)
  return count
}

/** Removes entries from the outbox, and returns them. Ignores those that are no longer there. */
export async function dequeue(
  db: LocalDb,
  spaceId: SpaceId,
  orders: readonly number[],
): Promise<OutboxRow[]> {
  const rows = (await db.outbox.bulkGet([...orders])).filter((row) => row !== undefined)
  await db.outbox.bulkDelete(rows.map((row) => row.order))
  await addPending(db, spaceId, -rows.reduce((sum, row) => sum + row.count, 0))
  return rows
}

/** Files refused edits, each once, even if the server's reply is handled again. */
export async function fileRejected(
  db: LocalDb,
  spaceId: SpaceId,
  edits: readonly RejectedEdit[],
): Promise<void> {
  if (edits.length === 0) return
  const filed = new Map<string, number>()
  await db.rejected
    .where('spaceId')
    .equals(spaceId)
    .each((row) => filed.set(opKey(row.op), row.id))
  const byKey = new Map(edits.map((edit) => [opKey(edit.op), edit]))
  await db.rejected.bulkDelete([...byKey.keys()].flatMap((key) => filed.get(key) ?? []))
  await db.rejected.bulkAdd(
    [...byKey.values()].map(({ op, code, message }) => ({ spaceId, op, code, message })),
  )
}

/** Empties the list of refused edits, and returns them. */
export async function takeRejected(db: LocalDb, spaceId: SpaceId): Promise<TreeOperation[]> {
  const rows = await db.rejected.where('spaceId').equals(spaceId).toArray()
  await db.rejected.bulkDelete(rows.map((row) => row.id))
  return rows.map((row) => row.op)
}

/** Returns the ids of the operations that wait in the outbox or were refused. */
export async function queuedIds(db: LocalDb, spaceId: SpaceId): Promise<OpIdSet> {
  const ids = new OpIdSet()
  await addQueued(db, spaceId, ids, 0)
  await db.rejected
    .where('spaceId')
    .equals(spaceId)
    .each((row) => ids.add(row.op))
  return ids
}

/** Adds the ids of the operations in outbox entries after `order`. */
export async function addQueued(db: LocalDb, spaceId: SpaceId, ids: OpIdSet, order: number): Promise<void> {
  await db.outbox
    .where('order')
    .above(order)
    .each((row) => {
      if (row.spaceId === spaceId) for (const op of decodeBatch(row.batch).ops) ids.add(op)
    })
}

export async function lastOrder(db: LocalDb): Promise<number> {
  const key = await db.outbox.toCollection().lastKey()
  return typeof key === 'number' ? key : 0
}

async function addPending(db: LocalDb, spaceId: SpaceId, count: number): Promise<void> {
  if (count === 0) return
  const row = await db.sync.get(spaceId)
  if (row !== undefined) await db.sync.put({ ...row, pending: Math.max(0, row.pending + count) })
}
