import {
  randomHexId,
  spaceIdentitySchema,
  type RegistrationId,
  type SpaceId,
  type SpaceIdentity,
  type SpaceSummary,
  type UserId,
} from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { AccessLists } from './access-lists.ts'
import type { AccountsHistory } from './accounts-history.ts'
import { prepareQuery } from './prepare-query.ts'

export interface NewSpace {
  readonly id: SpaceId
  readonly name: string
  readonly registration?: RegistrationId | undefined
}

interface SpacePlace {
  /** When a space was registered, in Unix milliseconds. */
  readonly time: number
  readonly id: string
}

/** The platform's records of spaces: ids and names. Each space's content is in a file of its own. */
export interface SpaceRecords {
  exists(id: SpaceId): boolean
  /**
   * Adds the space with its creator as the owner, and with a new identity, in one transaction. Throws when the id is
   * taken.
   */
  add(space: NewSpace, createdBy: UserId, now: number): void
  /** The identity of the space; undefined for a space that does not exist. */
  identityOf(id: SpaceId): SpaceIdentity | undefined
  /** Whether the space was registered by this registration. */
  wasRegisteredBy(id: SpaceId, registration: RegistrationId): boolean
  /** The space as the user sees it; undefined without a membership. */
  get(id: SpaceId, userId: UserId): SpaceSummary | undefined
  /** The user's spaces, oldest first. */
  listFor(userId: UserId): SpaceSummary[]
  /** Of the user's spaces, oldest first, those after a place in that order, and at most `limit` of them. */
  pageFor(userId: UserId, after: SpacePlace, limit: number): SpaceSummary[]
  /** The user's spaces whose logs nobody has asked for their members since the accounts were restored. */
  unaskedOf(userId: UserId): SpaceId[]
  /** Remembers that the logs of these spaces were asked. */
  noteAsked(ids: readonly SpaceId[]): void
  /** Whether the space has ever had a log: if its file is missing, it is lost. */
  hasLog(id: SpaceId): boolean
  /** Remembers that the space has a log. */
  noteLog(id: SpaceId): void
  /**
   * Removes the space with its members and invites, and notes in the same transaction that its file has to be removed.
   * Nobody can enter from then on, even if the server crashes before the file is gone. The id is never free again.
   */
  remove(id: SpaceId, now: number): void
  /** Spaces that are removed, and whose file may still be there. */
  pendingDeletions(): SpaceId[]
  wasDeleted(id: SpaceId): boolean
  fileRemoved(id: SpaceId): void
}

export function createSpaceRecords(
  db: Database,
  {
    accessLists,
    history,
  }: { readonly accessLists: Pick<AccessLists, 'announce'>; readonly history: Pick<AccountsHistory, 'name'> },
): SpaceRecords {
  const select = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q.selectFrom('spaces').select(['identity', 'registration']).where('id', '=', given.id),
  )
  const insert = prepareQuery(
    db,
    (
      q,
      given: {
        id: SpaceId
        name: string
        now: number
        identity: SpaceIdentity
        registration: RegistrationId | null
        history: string
      },
    ) =>
      q.insertInto('spaces').values({
        id: given.id,
        name: given.name,
        created_at: given.now,
        has_log: sql.lit(0),
        identity: given.identity,
        registration: given.registration,
        // The trigger of its first member makes one.
        access_id: sql.lit<''>(''),
        asked_in: given.history,
      }),
  )
  const insertOwner = prepareQuery(db, (q, given: { id: SpaceId; createdBy: UserId; now: number }) =>
    q.insertInto('members').values({
      space_id: given.id,
      user_id: given.createdBy,
      role: sql.lit('owner'),
      joined_at: given.now,
      since: sql.lit<''>(''),
    }),
  )
  const selectFor = prepareQuery(db, (q, given: { id: SpaceId; userId: UserId }) =>
    q
      .selectFrom('spaces')
      .innerJoin('members', 'members.space_id', 'spaces.id')
      .select(['spaces.id as id', 'spaces.name as name', 'members.role as role'])
      .select(['spaces.identity as identity', 'spaces.created_at as createdAt'])
      .where('spaces.id', '=', given.id)
      .where('members.user_id', '=', given.userId),
  )
  const selectPage = prepareQuery(
    db,
    (q, given: { userId: UserId; time: number; id: string; limit: number }) =>
      q
        .selectFrom('members')
        .innerJoin('spaces', 'spaces.id', 'members.space_id')
        .select(['spaces.id as id', 'spaces.name as name', 'members.role as role'])
        .select(['spaces.identity as identity', 'spaces.created_at as createdAt'])
        .where('members.user_id', '=', given.userId)
        .where((eb) =>
          eb.or([
            eb('spaces.created_at', '>', given.time),
            eb.and([eb('spaces.created_at', '=', given.time), eb(sql<string>`spaces.id`, '>', given.id)]),
          ]),
        )
        .orderBy('spaces.created_at')
        .orderBy('spaces.id')
        .limit(given.limit),
  )
  const selectUnasked = prepareQuery(db, (q, given: { userId: UserId; history: string }) =>
    q
      .selectFrom('members')
      .innerJoin('spaces', 'spaces.id', 'members.space_id')
      .select('spaces.id as id')
      .where('members.user_id', '=', given.userId)
      .where('spaces.asked_in', '<>', given.history),
  )
  const updateAsked = prepareQuery(db, (q, given: { id: SpaceId; history: string }) =>
    q.updateTable('spaces').set({ asked_in: given.history }).where('id', '=', given.id),
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
      .values({ space_id: given.id, deleted_at: given.now, file_removed: sql.lit(0) })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const selectDeletions = prepareQuery(db, (q, _given: object) =>
    q.selectFrom('space_deletions').select('space_id as id').where('file_removed', '=', sql.lit(0)),
  )
  const selectDeletion = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q.selectFrom('space_deletions').select('space_id').where('space_id', '=', given.id),
  )
  const noteRemoval = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q
      .updateTable('space_deletions')
      .set({ file_removed: sql.lit(1) })
      .where('space_id', '=', given.id),
  )

  const add = db.transaction((space: NewSpace, createdBy: UserId, now: number) => {
    const { id, name, registration = null } = space
    const identity = spaceIdentitySchema.parse(randomHexId())
    insert.run({ id, name, now, registration, identity, history: history.name })
    insertOwner.run({ id, createdBy, now })
  })
  const noteAsked = db.transaction((ids: readonly SpaceId[]) => {
    for (const id of ids) updateAsked.run({ id, history: history.name })
  })
  const remove = db.transaction((id: SpaceId, now: number) => {
    insertDeletion.run({ id, now })
    deleteSpace.run({ id })
  })

  return {
    exists: (id) => select.get({ id }) !== undefined,
    add: (space, createdBy, now) => {
      add.immediate(space, createdBy, now)
      accessLists.announce()
    },
    identityOf: (id) => select.get({ id })?.identity,
    wasRegisteredBy: (id, registration) => select.get({ id })?.registration === registration,
    get: (id, userId) => selectFor.get({ id, userId }),
    listFor: (userId) => selectPage.all({ userId, time: -1, id: '', limit: -1 }),
    pageFor: (userId, { time, id }, limit) => selectPage.all({ userId, time, id, limit }),
    unaskedOf: (userId) => selectUnasked.all({ userId, history: history.name }).map(({ id }) => id),
    noteAsked: (ids) => noteAsked.immediate(ids),
    hasLog: (id) => selectLog.get({ id }) !== undefined,
    noteLog: (id) => void updateLog.run({ id }),
    remove: (id, now) => remove.immediate(id, now),
    pendingDeletions: () => selectDeletions.all({}).map((row) => row.id),
    wasDeleted: (id) => selectDeletion.get({ id }) !== undefined,
    fileRemoved: (id) => void noteRemoval.run({ id }),
  }
}
