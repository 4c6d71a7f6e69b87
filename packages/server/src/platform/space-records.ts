import type { SpaceId, SpaceSummary, UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { prepareQuery } from './prepare-query.ts'

/** The platform's records of spaces: ids and names. Each space's content is in a file of its own. */
export interface SpaceRecords {
  exists(id: SpaceId): boolean
  /** Adds the space with its creator as the owner, in one transaction. Throws when the id is taken. */
  add(space: { readonly id: SpaceId; readonly name: string }, createdBy: UserId, now: number): void
  /** The space as the user sees it; undefined without a membership. */
  get(id: SpaceId, userId: UserId): SpaceSummary | undefined
  /** The user's spaces, oldest first. */
  listFor(userId: UserId): SpaceSummary[]
  rename(id: SpaceId, name: string): void
  /** Whether the space has ever had a log: if its file is missing, it is lost. */
  hasLog(id: SpaceId): boolean
  /** Remembers that the space has a log. */
  noteLog(id: SpaceId): void
  /**
   * Removes the space with its members and invites, and notes in the same transaction that its file has to be removed.
   * Nobody can enter from then on, even if the server crashes before the file is gone.
   */
  remove(id: SpaceId, now: number): void
  /** Spaces that are removed, and whose file may still be there. */
  pendingDeletions(): SpaceId[]
  isPendingDeletion(id: SpaceId): boolean
  fileRemoved(id: SpaceId): void
}

export function createSpaceRecords(db: Database): SpaceRecords {
  const selectId = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q.selectFrom('spaces').select('id').where('id', '=', given.id),
  )
  const insert = prepareQuery(db, (q, given: { id: SpaceId; name: string; now: number }) =>
    q.insertInto('spaces').values({
      id: given.id,
      name: given.name,
      created_at: given.now,
      has_log: sql.lit(0),
    }),
  )
  const insertOwner = prepareQuery(db, (q, given: { id: SpaceId; createdBy: UserId; now: number }) =>
    q.insertInto('members').values({
      space_id: given.id,
      user_id: given.createdBy,
      role: sql.lit('owner'),
      joined_at: given.now,
    }),
  )
  const selectFor = prepareQuery(db, (q, given: { id: SpaceId; userId: UserId }) =>
    q
      .selectFrom('spaces')
      .innerJoin('members', 'members.space_id', 'spaces.id')
      .select(['spaces.id as id', 'spaces.name as name', 'members.role as role'])
      .select('spaces.created_at as createdAt')
      .where('spaces.id', '=', given.id)
      .where('members.user_id', '=', given.userId),
  )
  const selectAllFor = prepareQuery(db, (q, given: { userId: UserId }) =>
    q
      .selectFrom('members')
      .innerJoin('spaces', 'spaces.id', 'members.space_id')
      .select(['spaces.id as id', 'spaces.name as name', 'members.role as role'])
      .select('spaces.created_at as createdAt')
      .where('members.user_id', '=', given.userId)
      .orderBy('spaces.created_at')
      .orderBy('spaces.id'),
  )
  const updateName = prepareQuery(db, (q, given: { id: SpaceId; name: string }) =>
    q.updateTable('spaces').set({ name: given.name }).where('id', '=', given.id),
  )
  const selectLog = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q.selectFrom('spaces').select('id').where('id', '=', given.id).where('has_log', '=', sql.lit(1)),
  )
  const updateLog = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q
      .updateTable('spaces')
      .set({ has_log: sql.lit(1) })
      .where('id', '=', given.id),
  )
  const deleteSpace = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q.deleteFrom('spaces').where('id', '=', given.id),
  )
  const insertDeletion = prepareQuery(db, (q, given: { id: SpaceId; now: number }) =>
    q
      .insertInto('space_deletions')
      .values({ space_id: given.id, deleted_at: given.now })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const selectDeletions = prepareQuery(db, (q, _given: object) =>
    q.selectFrom('space_deletions').select('space_id as id'),
  )
  const selectDeletion = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q.selectFrom('space_deletions').select('space_id as id').where('space_id', '=', given.id),
  )
  const deleteDeletion = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q.deleteFrom('space_deletions').where('space_id', '=', given.id),
  )

  const add = db.transaction((id: SpaceId, name: string, createdBy: UserId, now: number) => {
    insert.run({ id, name, now })
    insertOwner.run({ id, createdBy, now })
  })
  const remove = db.transaction((id: SpaceId, now: number) => {
    insertDeletion.run({ id, now })
    deleteSpace.run({ id })
  })

  return {
    exists: (id) => selectId.get({ id }) !== undefined,
    add: ({ id, name }, createdBy, now) => add.immediate(id, name, createdBy, now),
    get: (id, userId) => selectFor.get({ id, userId }),
    listFor: (userId) => selectAllFor.all({ userId }),
    hasLog: (id) => selectLog.get({ id }) !== undefined,
    noteLog: (id) => void updateLog.run({ id }),
    rename: (id, name) => void updateName.run({ id, name }),
    remove: (id, now) => remove.immediate(id, now),
    pendingDeletions: () => selectDeletions.all({}).map((row) => row.id),
    isPendingDeletion: (id) => selectDeletion.get({ id }) !== undefined,
    fileRemoved: (id) => void deleteDeletion.run({ id }),
  }
}
