import {
  accessIdSchema,
  type AbsentMember,
  type AccessId,
  randomHexId,
  type RoleName,
  roleSchema,
  type SpaceId,
  type SpaceIdentity,
  SyncError,
  type UserId,
} from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'
import { LRUCache } from 'lru-cache'

import type { AccessInLogs, KeptAccess } from '../ports/access-in-logs.ts'
import type { SpaceAccessLists } from '../ports/access.ts'
import {
  type AccessEntry,
  type AccessList,
  newerEntries,
  newerName,
  rank,
  removed,
  takesRights,
} from './access-list.ts'
import type { AccountsHistory } from './accounts-history.ts'
import { prepareQuery } from './prepare-query.ts'
import { sqlRolesWith } from './roles-in-sql.ts'
import type { Seals } from './seals.ts'

/** Access ids that a seal names. Of a longer history, the newest. */
const maxSealedIds = 500

/** Sealed lists that are remembered, for devices that come back together. */
const maxRemembered = 100

/**
 * The access lists of all spaces, over the tables `members` and `non_members`. Their triggers give a space a new access
 * id with each change: see `platform-migrations.ts`.
 */
export interface AccessLists extends SpaceAccessLists, AccessInLogs {
  /** The present list. Throws `not_found` for a space that does not exist. */
  list(spaceId: SpaceId): AccessList
  /** Members whose accounts this server does not have, in the order in which they joined. */
  absent(spaceId: SpaceId): (AbsentMember & { readonly joinedAt: number })[]
  /** Removes an absent member. Returns false without one. Part of the caller's transaction. */
  removeAbsent(spaceId: SpaceId, userId: UserId): boolean
  /** Makes the user a member again wherever they are absent. Part of the caller's transaction. */
  welcomeBack(userId: UserId): void
  /**
   * Merges a list of the same space that this server once made: `newerEntries` says what counts. The space keeps an
   * owner. Invites are withdrawn if somebody loses a right, since they may know a link. Changes nothing if the server
   * has seen all of it.
   */
  merge(list: AccessList): void
  /** Renames the space. That is a change of its list, so that an older copy of the accounts learns the name from it. */
  rename(spaceId: SpaceId, name: string): void
  /**
   * Registers the space of a list that the server has forgotten, with its identity and members. `hasLog` says that its file is
   * there; otherwise it is taken for the space's own only if it says so itself.
   */
  registerAgain(list: AccessList, name: string, options?: { readonly hasLog: boolean }): void
  /** Tells the listener of spaces whose list changed since the last call. For after each commit. */
  announce(): void
  /** Sets who is told, after the commit, of which spaces the lists have changed. */
  onChange(listener: (spaceIds: readonly SpaceId[]) => void): void
}

export function createAccessLists(
  db: Database,
  {
    seals,
    history,
    now,
  }: {
    readonly seals: Seals
    readonly history: Pick<AccountsHistory, 'noteChanges'>
    readonly now: () => number
  },
): AccessLists {
  const queries = prepareQueries(db)
  const sealed = new LRUCache<SpaceId, KeptAccess>({ max: maxRemembered })
  /** What logs have kept of the present lists. No row of a file is trusted. */
  const unchecked = new LRUCache<SpaceId, KeptAccess>({ max: maxRemembered })
  let lastNr = queries.lastNr.get({})?.nr ?? 0
  let listener: (spaceIds: readonly SpaceId[]) => void = () => {}

  function find(spaceId: SpaceId) {
    const space = queries.space.get({ spaceId })
    if (space === undefined) throw new SyncError('not_found', 'No such space')
    return space
  }

  function list(spaceId: SpaceId): AccessList {
    const { identity, name, accessId, createdAt } = find(spaceId)
    const accessIds = queries.ids.all({ spaceId }).map((row) => row.accessId)
    const entries = [...queries.members.all({ spaceId }), ...queries.nonMembers.all({ spaceId })]
    return { spaceId, identity, name, createdAt, accessId, accessIds: accessIds.toReversed(), entries }
  }

  function kept(spaceId: SpaceId): KeptAccess {
    const { identity, accessId } = find(spaceId)
    const made = sealed.get(spaceId)
    if (made?.accessId === accessId) return made
    const read = unchecked.get(spaceId)
    const isSound = read?.accessId === accessId && seals.isOf(read.seal, { spaceId, accessId })
    const seal = isSound ? read.seal : seals.sealSpace(list(spaceId))
    const found = { identity, accessId, seal }
    sealed.set(spaceId, found)
    return found
  }

  const knows = (spaceId: SpaceId, accessId: AccessId): boolean =>
    queries.id.get({ spaceId, accessId }) !== undefined

  /** Puts an entry in the place of the user's present one, without a new access id of its own. */
  function put(spaceId: SpaceId, given: AccessEntry): void {
    // A list from before somebody deleted the account still has the name. Such an account never comes back.
    const isDeleted = queries.deletedUser.get({ userId: given.userId }) !== undefined
    const entry = isDeleted ? removed(given, given.since) : given
    const { userId, role, since, joinedAt, email, name } = entry
    const known = roleSchema.safeParse(role)
    if (known.success && queries.user.get({ userId }) !== undefined) {
      queries.deleteNonMember.run({ spaceId, userId })
      queries.putMember.run({ spaceId, userId, role: known.data, since, joinedAt })
      return
    }
    queries.deleteMember.run({ spaceId, userId })
    queries.putNonMember.run({ spaceId, userId, role, since, joinedAt, email, name })
  }

  function newAccessId(spaceId: SpaceId): AccessId {
    const accessId = accessIdSchema.parse(randomHexId())
    queries.setAccessId.run({ spaceId, accessId })
    return accessId
  }

  function see(spaceId: SpaceId, { accessIds, accessId, entries }: AccessList): void {
    for (const id of [...entries.map(({ since }) => since), ...accessIds, accessId]) {
      queries.addId.run({ spaceId, accessId: id })
    }
  }

  const merge = db.transaction((theirs: AccessList) => {
    const { spaceId } = theirs
    if (knows(spaceId, theirs.accessId)) return
    const mine = list(spaceId)
    const newer = newerEntries(mine, theirs, (id) => knows(spaceId, id))
    for (const entry of newer) put(spaceId, entry)
    see(spaceId, theirs)
    const name = newerName(mine, theirs, newer)
    if (name !== undefined) queries.setName.run({ spaceId, name })
    const accessId = newAccessId(spaceId)
    if (queries.owner.get({ spaceId }) === undefined) {
      // Whoever removed the owners was removed themselves.
      for (const entry of theirs.entries) {
        if (rank(entry.role) === rank('owner')) put(spaceId, { ...entry, since: accessId })
      }
    }
    if (takesRights(mine, newer)) queries.withdrawInvites.run({ spaceId, now: now() })
  })

  const rename = db.transaction((spaceId: SpaceId, name: string) => {
    if (find(spaceId).name === name) return
    queries.setName.run({ spaceId, name })
    newAccessId(spaceId)
  })

  const registerAgain = db.transaction((theirs: AccessList, name: string, hasLog: boolean) => {
    const { spaceId, identity, createdAt, accessId } = theirs
    queries.insertSpace.run({ spaceId, identity, createdAt, name, accessId, hasLog: hasLog ? 1 : 0 })
    see(spaceId, theirs)
    for (const entry of theirs.entries) put(spaceId, entry)
    // Otherwise it is the list that was sealed, and a log that has seen that one is later.
    const isChanged = ({ userId }: AccessEntry) => queries.deletedUser.get({ userId }) !== undefined
    if (theirs.entries.some(isChanged)) newAccessId(spaceId)
  })

  function announce(): void {
    // Inside a transaction nothing is certain yet: whoever began it announces.
    if (db.inTransaction) return
    history.noteChanges()
    const changed = queries.changed.all({ nr: lastNr })
    // A copy that was restored into the open database may have fewer.
    lastNr = queries.lastNr.get({})?.nr ?? 0
    if (changed.length > 0) listener(changed.map(({ spaceId }) => spaceId))
  }

  function mergeAndTell(theirs: AccessList): void {
    merge.immediate(theirs)
    announce()
  }

  return {
    of: (spaceId) => queries.space.get({ spaceId }),
    knows,
    seal(spaceId) {
      const { accessId, seal } = kept(spaceId)
      return { accessId, seal }
    },
    list,
    absent: (spaceId) =>
      queries.nonMembers
        .all({ spaceId })
        .flatMap(({ userId: id, role, email, name, joinedAt }) =>
          role === null ? [] : [{ user: { id, email, name }, role, joinedAt }],
        ),
    removeAbsent(spaceId, userId) {
      const entry = queries.nonMembers.all({ spaceId }).find((it) => it.userId === userId && it.role !== null)
      if (entry === undefined) return false
      put(spaceId, removed(entry, newAccessId(spaceId)))
      return true
    },
    welcomeBack(userId) {
      for (const { spaceId, role, since, joinedAt } of queries.absences.all({ userId })) {
        const known = roleSchema.safeParse(role)
        if (!known.success) continue
        queries.deleteNonMember.run({ spaceId, userId })
        queries.putMember.run({ spaceId, userId, role: known.data, since, joinedAt })
      }
    },
    merge: mergeAndTell,
    rename(spaceId, name) {
      rename.immediate(spaceId, name)
      announce()
    },
    registerAgain(theirs, name, { hasLog } = { hasLog: false }) {
      registerAgain.immediate(theirs, name, hasLog)
      announce()
    },
    merged(spaceId, theirs) {
      const space = queries.space.get({ spaceId })
      if (space === undefined) return undefined
      if (theirs?.accessId === space.accessId) {
        unchecked.set(spaceId, theirs)
        return undefined
      }
      if (theirs?.identity === space.identity && !knows(spaceId, theirs.accessId)) {
        const opened = seals.openSpace(theirs.seal)
        if (opened !== undefined) mergeAndTell(opened)
      }
      return kept(spaceId)
    },
    announce,
    onChange(next) {
      listener = next
    },
  }
}

function prepareQueries(db: Database) {
  return {
    space: prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
      q
        .selectFrom('spaces')
        .select(['identity', 'name', 'access_id as accessId', 'created_at as createdAt'])
        .where('id', '=', given.spaceId),
    ),
    insertSpace: prepareQuery(
      db,
      (
        q,
        given: {
          spaceId: SpaceId
          identity: SpaceIdentity
          name: string
          createdAt: number
          accessId: AccessId
          hasLog: number
        },
      ) =>
        q.insertInto('spaces').values({
          id: given.spaceId,
          name: given.name,
          created_at: given.createdAt,
          has_log: given.hasLog,
          identity: given.identity,
          registration: sql.lit(null),
          access_id: given.accessId,
          // Its log may know more than the list.
          asked_in: sql.lit(''),
        }),
    ),
    setAccessId: prepareQuery(db, (q, given: { spaceId: SpaceId; accessId: AccessId }) =>
      q.updateTable('spaces').set({ access_id: given.accessId }).where('id', '=', given.spaceId),
    ),
    setName: prepareQuery(db, (q, given: { spaceId: SpaceId; name: string }) =>
      q.updateTable('spaces').set({ name: given.name }).where('id', '=', given.spaceId),
    ),
    user: prepareQuery(db, (q, given: { userId: UserId }) =>
      q.selectFrom('users').select('id').where('id', '=', given.userId),
    ),
    deletedUser: prepareQuery(db, (q, given: { userId: UserId }) =>
      q.selectFrom('user_deletions').select('user_id').where('user_id', '=', given.userId),
    ),
    members: prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
      q
        .selectFrom('members')
        .innerJoin('users', 'users.id', 'members.user_id')
        .select(['members.user_id as userId', 'members.role', 'members.since'])
        .select(['members.joined_at as joinedAt', 'users.email', 'users.name'])
        .where('members.space_id', '=', given.spaceId)
        .orderBy('members.joined_at')
        .orderBy('members.user_id'),
    ),
    nonMembers: prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
      q
        .selectFrom('non_members')
        .select(['user_id as userId', 'role', 'since', 'joined_at as joinedAt', 'email', 'name'])
        .where('space_id', '=', given.spaceId)
        .orderBy('joined_at')
        .orderBy('user_id'),
    ),
    absences: prepareQuery(db, (q, given: { userId: UserId }) =>
      q
        .selectFrom('non_members')
        .select(['space_id as spaceId', 'role', 'since', 'joined_at as joinedAt'])
        .where('user_id', '=', given.userId),
    ),
    owner: prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
      q
        .selectFrom('members')
        .select('user_id as userId')
        .where('space_id', '=', given.spaceId)
        .where('role', 'in', sqlRolesWith('own'))
        .unionAll(
          q
            .selectFrom('non_members')
            .select('user_id as userId')
            .where('space_id', '=', given.spaceId)
            .where('role', 'in', sqlRolesWith('own')),
        ),
    ),
    putMember: prepareQuery(
      db,
      (q, given: { spaceId: SpaceId; userId: UserId; role: RoleName; since: AccessId; joinedAt: number }) =>
        q
          .insertInto('members')
          .values({
            space_id: given.spaceId,
            user_id: given.userId,
            role: given.role,
            joined_at: given.joinedAt,
            since: given.since,
          })
          .onConflict((conflict) =>
            conflict.columns(['space_id', 'user_id']).doUpdateSet({ role: given.role, since: given.since }),
          ),
    ),
    deleteMember: prepareQuery(db, (q, given: { spaceId: SpaceId; userId: UserId }) =>
      q.deleteFrom('members').where('space_id', '=', given.spaceId).where('user_id', '=', given.userId),
    ),
    putNonMember: prepareQuery(
      db,
      (
        q,
        given: {
          spaceId: SpaceId
          userId: UserId
          role: RoleName | null
          since: AccessId
          joinedAt: number
          email: string
          name: string
        },
      ) =>
        q
          .insertInto('non_members')
          .values({
            nr: sql.lit(null),
            space_id: given.spaceId,
            user_id: given.userId,
            role: given.role,
            email: given.email,
            name: given.name,
            joined_at: given.joinedAt,
            since: given.since,
          })
          .onConflict((conflict) =>
            conflict
              .columns(['space_id', 'user_id'])
              .doUpdateSet({ role: given.role, since: given.since, email: given.email, name: given.name }),
          ),
    ),
    deleteNonMember: prepareQuery(db, (q, given: { spaceId: SpaceId; userId: UserId }) =>
      q.deleteFrom('non_members').where('space_id', '=', given.spaceId).where('user_id', '=', given.userId),
    ),
    // As if they had expired: see `members.ts`.
    withdrawInvites: prepareQuery(db, (q, given: { spaceId: SpaceId; now: number }) =>
      q
        .updateTable('invites')
        .set({ expires_at: given.now })
        .where('space_id', '=', given.spaceId)
        .where('expires_at', '>', given.now),
    ),
    id: prepareQuery(db, (q, given: { spaceId: SpaceId; accessId: AccessId }) =>
      q
        .selectFrom('access_ids')
        .select('nr')
        .where('space_id', '=', given.spaceId)
        .where('access_id', '=', given.accessId),
    ),
    ids: prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
      q
        .selectFrom('access_ids')
        .select('access_id as accessId')
        .where('space_id', '=', given.spaceId)
        .orderBy('nr', 'desc')
        .limit(sql.lit(maxSealedIds)),
    ),
    addId: prepareQuery(db, (q, given: { spaceId: SpaceId; accessId: AccessId }) =>
      q
        .insertInto('access_ids')
        .values({ nr: sql.lit(null), space_id: given.spaceId, access_id: given.accessId })
        .onConflict((conflict) => conflict.columns(['space_id', 'access_id']).doNothing()),
    ),
    lastNr: prepareQuery(db, (q, _given: object) =>
      q.selectFrom('access_ids').select('nr').orderBy('nr', 'desc').limit(sql.lit(1)),
    ),
    changed: prepareQuery(db, (q, given: { nr: number }) =>
      q.selectFrom('access_ids').select('space_id as spaceId').distinct().where('nr', '>', given.nr),
    ),
  }
}
