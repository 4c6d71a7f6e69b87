import { namesSpace } from '../config-key.ts'
import type { LocalDb } from './local-db-schema.ts'

/**
 * Removes a space and everything that belongs to it, with what an app keeps in `config` under its id. Runs inside a
 * transaction over all stores.
 */
export async function deleteSpaceRows(db: LocalDb, spaceId: string): Promise<void> {
  await db.spaces.delete(spaceId)
  await db.sync.delete(spaceId)
  for (const table of [db.treeOps, db.secrets, db.segments, db.outbox, db.rejected, db.attested]) {
    await table.where('spaceId').equals(spaceId).delete()
  }
  await db.config.filter(({ key }) => namesSpace(key, spaceId)).delete()
  const current = await db.config.get('currentSpaceId')
  if (current?.value === spaceId) await db.config.delete('currentSpaceId')
}
