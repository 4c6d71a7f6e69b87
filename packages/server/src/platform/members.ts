import {
  limits,
  type InviteRole,
  inviteRoleSchema,
  type Member,
  type Rights,
  rightsOf,
  type Role,
  type RoleName,
  type SpaceId,
  SyncError,
  type UserId,
} from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { Access } from '../ports/access.ts'
import type { AccessLists } from './access-lists.ts'
import { prepareQuery } from './prepare-query.ts'
import { sqlRolesWith } from './roles-in-sql.ts'

/** Wait after a full space, in ms. It stays full until somebody is removed. */
const fullRetryMs = 60_000

/** Who is in which space. A space keeps at least one owner, which each change checks in its transaction. */
export interface Members extends Access {
  /** In the order in which they joined. */
  list(spaceId: SpaceId): Member[]
  /**
   * Adds a member; a member keeps the role they have. Returns whether the user was added. Throws `quota_exceeded` when
   * the space has as many members as it may.
   */
  add(spaceId: SpaceId, userId: UserId, role: RoleName, now: number): boolean
  /**
   * Gives a member another role. With it, invites are withdrawn that would give back a right which the member
   * loses: the member may know such a link. Throws `not_found` without such a member, and `forbidden` when no
   * owner would be left.
   */
  changeRole(spaceId: SpaceId, userId: UserId, role: Role, now: number): void
  /** Removes a member who leaves. Throws like `changeRole`. */
  remove(spaceId: SpaceId, userId: UserId): void
  /**
   * Removes a member, or an absent one, and withdraws every invite: a link would let them in again. Throws like
   * `changeRole`.
   */
  expel(spaceId: SpaceId, userId: UserId, now: number): void
}

export function createMembers(
  db: Database,
  { removeAbsent, announce }: Pick<AccessLists, 'removeAbsent' | 'announce'>,
): Members {
  const selectRole = prepareQuery(db, (q, given: { spaceId: SpaceId; userId: UserId }) =>
    q
      .selectFrom('members')
      .select('role')
      .where('space_id', '=', given.spaceId)
      .where('user_id', '=', given.userId),
  )
  const selectMembers = prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
    q
      .selectFrom('members')
      .innerJoin('users', 'users.id', 'members.user_id')
      .select(['users.id as id', 'users.email as email', 'users.name as name'])
      .select(['members.role as role', 'members.joined_at as joinedAt'])
      .where('members.space_id', '=', given.spaceId)
      .orderBy('members.joined_at')
      .orderBy('users.id'),
  )
  const insert = prepareQuery(
    db,
    (q, given: { spaceId: SpaceId; userId: UserId; role: RoleName; now: number }) =>
      q
        .insertInto('members')
        .values({
          space_id: given.spaceId,
          user_id: given.userId,
          role: given.role,
          joined_at: given.now,
          since: sql.lit<''>(''),
        })
        .onConflict((conflict) => conflict.columns(['space_id', 'user_id']).doNothing()),
  )
  const updateRole = prepareQuery(db, (q, given: { spaceId: SpaceId; userId: UserId; role: Role }) =>
    q
      .updateTable('members')
      .set({ role: given.role })
      .where('space_id', '=', given.spaceId)
      .where('user_id', '=', given.userId),
  )
  const deleteMember = prepareQuery(db, (q, given: { spaceId: SpaceId; userId: UserId }) =>
    q.deleteFrom('members').where('space_id', '=', given.spaceId).where('user_id', '=', given.userId),
  )
  const countMembers = prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
    q
      .selectFrom('members')
      .select((members) => members.fn.countAll<number>().as('count'))
      .where('space_id', '=', given.spaceId),
  )
  const countAbsent = prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
    q
      .selectFrom('non_members')
      .select((members) => members.fn.countAll<number>().as('count'))
      .where('space_id', '=', given.spaceId)
      .where('role', 'is not', sql.lit(null)),
  )
  const selectOwner = prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
    q
      .selectFrom('members')
      .select('user_id')
      .where('space_id', '=', given.spaceId)
      .where('role', 'in', sqlRolesWith('own'))
      .limit(sql.lit(1)),
  )

  // As if they had expired, so that a user of the link is told to ask for another.
  const withdrawInvites = prepareQuery(db, (q, given: { spaceId: SpaceId; now: number }) =>
    q
      .updateTable('invites')
      .set({ expires_at: given.now })
      .where('space_id', '=', given.spaceId)
      .where('expires_at', '>', given.now),
  )
  const withdrawInvitesAs = prepareQuery(
    db,
    (q, given: { spaceId: SpaceId; role: InviteRole; now: number }) =>
      q
        .updateTable('invites')
        .set({ expires_at: given.now })
        .where('space_id', '=', given.spaceId)
        .where('expires_at', '>', given.now)
        .where('role', '=', given.role),
  )

  /** Changes a member who has the role `before`. A space whose owners are absent has none to keep. */
  function keepingAnOwner(spaceId: SpaceId, before: RoleName | undefined, change: () => unknown): void {
    if (before === undefined) throw new SyncError('not_found', 'No such member')
    change()
    if (rightsOf(before).own && selectOwner.get({ spaceId }) === undefined) {
      const message = 'A space keeps at least one owner: make somebody else an owner first'
      throw new SyncError('forbidden', message, { reason: 'keeps_an_owner' })
    }
  }

  const add = db.transaction((spaceId: SpaceId, userId: UserId, role: RoleName, now: number) => {
    if (insert.run({ spaceId, userId, role, now }).changes === 0) return false
    const count = (countMembers.get({ spaceId })?.count ?? 0) + (countAbsent.get({ spaceId })?.count ?? 0)
    if (count > limits.maxMembers) {
      const message = `The space has ${limits.maxMembers} members, as many as it may have`
      throw new SyncError('quota_exceeded', message, {
        reason: 'too_many_members',
        retryAfterMs: fullRetryMs,
      })
    }
    return true
  })
  const changeRole = db.transaction((spaceId: SpaceId, userId: UserId, role: Role, now: number) => {
    const before = selectRole.get({ spaceId, userId })?.role
    keepingAnOwner(spaceId, before, () => updateRole.run({ spaceId, userId, role }))
    for (const invited of inviteRoleSchema.options) {
      if (!givesBack(rightsOf(invited), rightsOf(before), rightsOf(role))) continue
      withdrawInvitesAs.run({ spaceId, role: invited, now })
    }
  })
  const remove = db.transaction((spaceId: SpaceId, userId: UserId) =>
    keepingAnOwner(spaceId, selectRole.get({ spaceId, userId })?.role, () =>
      deleteMember.run({ spaceId, userId }),
    ),
  )
  const expel = db.transaction((spaceId: SpaceId, userId: UserId, now: number) => {
    if (!removeAbsent(spaceId, userId)) remove(spaceId, userId)
    withdrawInvites.run({ spaceId, now })
  })

  return {
    roleOf: (spaceId, userId) => selectRole.get({ spaceId, userId })?.role,
    list: (spaceId) =>
      selectMembers
        .all({ spaceId })
        .map(({ role, joinedAt, id, email, name }) => ({ user: { id, email, name }, role, joinedAt })),
    add(spaceId, userId, role, now) {
      const added = add.immediate(spaceId, userId, role, now)
      announce()
      return added
    },
    changeRole(spaceId, userId, role, now) {
      changeRole.immediate(spaceId, userId, role, now)
      announce()
    },
    remove(spaceId, userId) {
      remove.immediate(spaceId, userId)
      announce()
    },
    expel(spaceId, userId, now) {
      expel.immediate(spaceId, userId, now)
      announce()
    },
  }
}

/** Whether `invited` has a right that a member loses who goes from `before` to `after`. */
function givesBack(invited: Rights, before: Rights, after: Rights): boolean {
  const [had, has] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
  return Object.entries(invited).some(
    ([right, isGiven]) => isGiven && had.get(right) === true && has.get(right) === false,
  )
}
