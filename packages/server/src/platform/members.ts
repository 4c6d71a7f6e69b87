import { SyncError, type Member, type Role, type SpaceId, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { Access } from '../spaces/access.ts'
import { prepareQuery } from './prepared-query.ts'

/** Who is in which space. A space that has members keeps an owner: each change is checked in its transaction. */
export interface Members extends Access {
  /** By the time they joined. */
  list(spaceId: SpaceId): Member[]
  /** Adds a member; whoever is one already keeps their role. Returns whether this added them. */
  add(spaceId: SpaceId, userId: UserId, role: Role, now: number): boolean
  /** Throws `not_found` for nobody's id, and `forbidden` when no owner would be left. */
  changeRole(spaceId: SpaceId, userId: UserId, role: Role): void
  /** Throws like `changeRole`. */
  remove(spaceId: SpaceId, userId: UserId): void
}

export function createMembers(db: Database): Members {
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
  const insert = prepareQuery(db, (q, given: { spaceId: SpaceId; userId: UserId; role: Role; now: number }) =>
    q
      .insertInto('members')
      .values({
        space_id: given.spaceId,
        user_id: given.userId,
        role: given.role,
        joined_at: given.now,
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
  const selectOwner = prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
    q
      .selectFrom('members')
      .select('user_id')
      .where('space_id', '=', given.spaceId)
      .where('role', '=', sql.lit('owner'))
      .limit(sql.lit(1)),
  )

  function keepingAnOwner(spaceId: SpaceId, changed: number): void {
    if (changed === 0) throw new SyncError('not_found', 'No such member')
    if (selectOwner.get({ spaceId }) === undefined) {
      throw new SyncError('forbidden', 'A space keeps at least one owner: make somebody else an owner first')
    }
  }

  const changeRole = db.transaction((spaceId: SpaceId, userId: UserId, role: Role) =>
    keepingAnOwner(spaceId, updateRole.run({ spaceId, userId, role })),
  )
  const remove = db.transaction((spaceId: SpaceId, userId: UserId) =>
    keepingAnOwner(spaceId, deleteMember.run({ spaceId, userId })),
  )

  return {
    roleOf: (spaceId, userId) => selectRole.get({ spaceId, userId })?.role,
    list: (spaceId) =>
      selectMembers
        .all({ spaceId })
        .map(({ role, joinedAt, id, email, name }) => ({ user: { id, email, name }, role, joinedAt })),
    add: (spaceId, userId, role, now) => insert.run({ spaceId, userId, role, now }) > 0,
    changeRole: (spaceId, userId, role) => changeRole.immediate(spaceId, userId, role),
    remove: (spaceId, userId) => remove.immediate(spaceId, userId),
  }
}
