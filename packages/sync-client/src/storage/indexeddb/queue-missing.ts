import type { LogId, SpaceId } from '@t69/protocol'

import { spaceTreeFirst } from '../op-order.ts'
import type { LocalDb } from './local-db-schema.ts'
import { findMissing, readMissing } from './missing-ops.ts'
import { foldStrays, inPieces, strayKeys } from './strays.ts'
import { addQueued, enqueue, lastOrder, queuedIds } from './sync-rows.ts'
import { listTreeIds } from './tree-ops.ts'

type Store = 'outbox' | 'rejected' | 'segments' | 'sync' | 'treeOps'

/** Each call of `read` and `lead` runs one transaction. */
export interface QueueMissingOptions {
  readonly mayQueue: boolean
  readonly read: <T>(stores: readonly Store[], work: (db: LocalDb) => Promise<T>) => Promise<T>
  /** Writes as the tab that leads. Rejects with `SupersededError` once another tab leads. */
  readonly lead: <T>(work: (db: LocalDb) => Promise<T>) => Promise<T>
}

/** Ends a reconciliation, a piece at a time: see `ClientStorage.queueMissing`. */
export async function queueMissing(
  spaceId: SpaceId,
  logId: LogId,
  { mayQueue, read, lead }: QueueMissingOptions,
): Promise<number> {
  const isOver = async (db: LocalDb): Promise<boolean> => {
    const row = await db.sync.get(spaceId)
    return row?.logId !== logId || !row.reconciling
  }
  const start = await read(['outbox', 'rejected', 'segments', 'treeOps'], async (db) => ({
    queued: await queuedIds(db, spaceId),
    order: await lastOrder(db),
    treeIds: await listTreeIds(db, spaceId),
    strays: await strayKeys(db, spaceId),
  }))
  const { queued } = start
  let { order } = start
  // Edits made since the previous transaction are already in the outbox.
  const noteEdits = (db: LocalDb): Promise<void> => addQueued(db, spaceId, queued, order)
  const strays = Map.groupBy(start.strays, ([, , treeId]) => treeId)
  let count = 0
  // One transaction per piece, so that edits wait neither for the whole space nor for a long chat.
  for (const treeId of spaceTreeFirst(spaceId, start.treeIds)) {
    const missing = await read(['sync', 'outbox', 'segments', 'treeOps'], async (db) => {
      await noteEdits(db)
      return findMissing(db, spaceId, treeId, logId, queued)
    })
    if (!mayQueue && missing.pieces.length > 0) return missing.pieces.length
    for (const piece of missing.pieces) {
      count += await lead(async (db) => {
        if (await isOver(db)) return 0
        await noteEdits(db)
        const added = await enqueue(db, spaceId, await readMissing(db, spaceId, treeId, missing, piece))
        order = await lastOrder(db)
        return added
      })
    }
    // Only the strays that were there at the start: a stray written later has not been queued.
    for (const piece of inPieces(strays.get(treeId) ?? [])) {
      await lead(async (db) => void ((await isOver(db)) || (await foldStrays(db, spaceId, piece))))
    }
  }
  await lead(async (db) => {
    if (!(await isOver(db))) await db.sync.update(spaceId, { reconciling: false })
  })
  return count
}
