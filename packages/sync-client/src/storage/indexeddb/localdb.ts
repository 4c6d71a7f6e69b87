import type { SpaceId, TreeId } from '@t69/protocol'
import { toTreeOperation, toVertexOperation, type VertexOperation } from '@t69/replica'

import { byClock } from '../op-order.ts'
import { deleteSpaceRows } from './delete-space.ts'
import { LocalDb, type SpaceSetup } from './local-db-schema.ts'
import { asDate } from './space-row.ts'
import { enqueue } from './sync-rows.ts'
import { listTreeIds, listTreeStates, loadTree, mergeTree, writeOps } from './tree-ops.ts'

/**
 * t69's `localdb.ts`: its functions, with its names, on its database (local-db-schema.ts). They read what syncing has
 * stored, and an edit that they write to a synced space is sent like any other. Unlike t69's, they reject when the
 * database fails, on reads as well: an empty result would look like an empty space, which would then be overwritten.
 */

export type { ConfigEntry, SecretRecord, SpaceSetup } from './local-db-schema.ts'
export { LocalDb } from './local-db-schema.ts'

export type SpacePointer = Pick<SpaceSetup, 'id' | 'uri' | 'name' | 'createdAt' | 'userId'>

/** The page's connection. The first call opens it. */
export const db = new LocalDb()

const currentSpaceKey = 'currentSpaceId'

export async function getAllPointers(): Promise<SpacePointer[]> {
  return (await db.spaces.toArray()).map(toPointer)
}

/** Returns the local spaces, and those of the user. */
export async function getPointersForUser(userId: string | null): Promise<SpacePointer[]> {
  const pointers = await getAllPointers()
  return pointers.filter((pointer) => pointer.userId === null || pointer.userId === userId)
}

export async function getCurrentSpaceId(): Promise<string | null> {
  const value = (await db.config.get(currentSpaceKey))?.value
  return typeof value === 'string' ? value : null
}

export async function getAllConfig(): Promise<Record<string, unknown>> {
  return Object.fromEntries((await db.config.toArray()).map(({ key, value }) => [key, value]))
}

/** Adds spaces, or replaces their pointers. Layout, theme and drafts of known spaces stay. */
export async function savePointers(pointers: SpacePointer[]): Promise<void> {
  await db.transaction('rw', db.spaces, async () => {
    for (const { id, uri, name, createdAt, userId } of pointers) {
      const known = await db.spaces.get(id)
      const rest = known ?? { ttabsLayout: null, theme: null, drafts: null }
      await db.spaces.put({ ...rest, id, uri, name, createdAt: asDate(createdAt), userId })
    }
  })
}

export async function saveConfig(config: Record<string, unknown>): Promise<void> {
  await db.config.bulkPut(Object.entries(config).map(([key, value]) => ({ key, value })))
}

/**
 * Saves values whose keys name the space, such as `view:<space id>`, if this device has the space. What is saved just after
 * the space was removed would never be removed.
 */
export async function saveSpaceConfig(spaceId: string, config: Record<string, unknown>): Promise<void> {
  await db.transaction('rw', db.spaces, db.config, async () => {
    if ((await db.spaces.get(spaceId)) !== undefined) await saveConfig(config)
  })
}

/** Null is ignored, as in t69. */
export async function saveCurrentSpaceId(id: string | null): Promise<void> {
  if (id !== null) await db.config.put({ key: currentSpaceKey, value: id })
}

/** Opens the database. Unlike t69's, does not delete it when that fails. */
export async function initializeDatabase(): Promise<{
  pointers: SpacePointer[]
  currentSpaceId: string | null
  config: Record<string, unknown>
}> {
  await db.open()
  return {
    pointers: await getAllPointers(),
    currentSpaceId: await getCurrentSpaceId(),
    config: await getAllConfig(),
  }
}

export async function getSpaceSetup(spaceId: string): Promise<SpaceSetup | undefined> {
  return db.spaces.get(spaceId)
}

export async function getTtabsLayout(spaceId: string): Promise<string | null | undefined> {
  return (await db.spaces.get(spaceId))?.ttabsLayout
}

export async function saveTtabsLayout(spaceId: string, layout: string): Promise<void> {
  await db.spaces.update(spaceId, { ttabsLayout: layout })
}

export async function saveSpaceTheme(spaceId: string, theme: string): Promise<void> {
  await db.spaces.update(spaceId, { theme })
}

export async function saveSpaceColorScheme(spaceId: string, colorScheme: 'light' | 'dark'): Promise<void> {
  await db.spaces.update(spaceId, { colorScheme })
}

export async function getDraft(spaceId: string, draftId: string): Promise<string | undefined> {
  return (await db.spaces.get(spaceId))?.drafts?.[draftId]
}

export async function saveDraft(spaceId: string, draftId: string, content: string): Promise<void> {
  await changeDrafts(spaceId, (drafts) => ({ ...drafts, [draftId]: content }))
}

export async function deleteDraft(spaceId: string, draftId: string): Promise<void> {
  await changeDrafts(spaceId, (drafts) =>
    Object.fromEntries(Object.entries(drafts).filter(([id]) => id !== draftId)),
  )
}

/** Returns the operations of a tree, oldest clock first. */
export async function getTreeOps(spaceId: string, treeId: string): Promise<VertexOperation[]> {
  const tree = await db.transaction('r', [db.treeOps, db.segments], async () => loadTree(db, spaceId, treeId))
  return mergeTree(tree).values().toSorted(byClock).map(toVertexOperation)
}

/**
 * Returns for each stored tree of a space a text that changes with what is stored of it. Reads keys only, so an app can ask
 * often which trees it has to read again.
 */
export async function getTreeStates(spaceId: string): Promise<Map<string, string>> {
  return db.transaction('r', [db.treeOps, db.segments], async () => listTreeStates(db, spaceId))
}

/** Stores edits, and queues them if the space syncs. Drops transient ones. An edit that is stored again is replaced. */
export async function appendTreeOps(
  spaceId: string,
  treeId: string,
  ops: ReadonlyArray<VertexOperation>,
): Promise<void> {
  const space = spaceId as SpaceId
  const treeOps = ops
    .filter((op) => !('transient' in op && op.transient))
    .map((op) => toTreeOperation(op, { spaceId: space, treeId: treeId as TreeId }))
  await db.transaction('rw', db.tables, async () => {
    await writeOps(db, space, treeOps, null)
    if ((await db.sync.get(spaceId)) !== undefined) await enqueue(db, space, treeOps)
  })
}

export async function getAllSpaceTreeOps(spaceId: string): Promise<Map<string, VertexOperation[]>> {
  const trees = new Map<string, VertexOperation[]>()
  for (const treeId of await listTreeIds(db, spaceId)) trees.set(treeId, await getTreeOps(spaceId, treeId))
  return trees
}

/** Deletes a tree's operations from this device only. Edits that wait in the outbox are still sent. */
export async function deleteTreeOps(spaceId: string, treeId: string): Promise<void> {
  await db.transaction('rw', [db.treeOps, db.segments], async () => {
    for (const table of [db.treeOps, db.segments]) {
      await table.where('[spaceId+treeId]').equals([spaceId, treeId]).delete()
    }
  })
}

export async function getTreeOpCount(spaceId: string, treeId: string): Promise<number> {
  return (await getTreeOps(spaceId, treeId)).length
}

export async function deleteSpace(spaceId: string): Promise<void> {
  await db.transaction('rw', db.tables, async () => deleteSpaceRows(db, spaceId))
}

/** Returns undefined when the space has no secrets. */
export async function getAllSecrets(spaceId: string): Promise<Record<string, string> | undefined> {
  const records = await db.secrets.where('spaceId').equals(spaceId).toArray()
  if (records.length === 0) return undefined
  return Object.fromEntries(records.map(({ key, value }) => [key, value]))
}

/** Adds or replaces these secrets. Others stay. Rejects when there is no such space: another tab may have forgotten it. */
export async function saveAllSecrets(spaceId: string, secrets: Record<string, string>): Promise<void> {
  await db.transaction('rw', db.spaces, db.secrets, async () => {
    if ((await db.spaces.get(spaceId)) === undefined) throw new Error(`There is no space ${spaceId}`)
    await db.secrets.bulkPut(Object.entries(secrets).map(([key, value]) => ({ spaceId, key, value })))
  })
}

export async function getSecret(spaceId: string, key: string): Promise<string | undefined> {
  return (await db.secrets.get([spaceId, key]))?.value
}

/** Rejects like `saveAllSecrets`. */
export async function setSecret(spaceId: string, key: string, value: string): Promise<void> {
  await saveAllSecrets(spaceId, { [key]: value })
}

export async function deleteSecret(spaceId: string, key: string): Promise<void> {
  await db.secrets.delete([spaceId, key])
}

/** Makes the user the owner of every space without one. */
export async function associateSpacesWithUser(userId: string): Promise<void> {
  await db.spaces.filter((space) => (space.userId ?? null) === null).modify({ userId })
}

/** Rejects when there is no such space, or when it has an owner. */
export async function associateLocalSpaceWithUser(spaceId: string, userId: string): Promise<void> {
  await changeOwner(spaceId, userId, (owner) => {
    if (owner !== null) throw new Error(`Space ${spaceId} already belongs to a user`)
  })
}

/** Rejects when there is no such space. */
export async function makeSpaceLocal(spaceId: string): Promise<void> {
  await changeOwner(spaceId, null)
}

/** Does nothing when there is no such space. */
export async function updateSpaceUserId(spaceId: string, userId: string | null): Promise<void> {
  await db.spaces.update(spaceId, { userId })
}

async function changeOwner(
  spaceId: string,
  userId: string | null,
  check: (owner: string | null) => void = () => undefined,
): Promise<void> {
  await db.transaction('rw', db.spaces, async () => {
    const space = await db.spaces.get(spaceId)
    if (space === undefined) throw new Error(`There is no space ${spaceId}`)
    check(space.userId ?? null)
    await db.spaces.put({ ...space, userId })
  })
}

async function changeDrafts(
  spaceId: string,
  change: (drafts: { [draftId: string]: string }) => { [draftId: string]: string },
): Promise<void> {
  await db.transaction('rw', db.spaces, async () => {
    const space = await db.spaces.get(spaceId)
    if (space !== undefined) await db.spaces.put({ ...space, drafts: change(space.drafts ?? {}) })
  })
}

function toPointer({ id, uri, name, createdAt, userId }: SpaceSetup): SpacePointer {
  return { id, uri, name, createdAt: asDate(createdAt), userId: userId ?? null }
}
