import { SyncError, type User, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import { prepareQuery } from './prepare-query.ts'

export interface NewUser extends User {
  readonly passwordHash: string
}

export interface Users {
  /** Throws `already_exists` when the address is taken. */
  add(user: NewUser, now: number): void
  byId(id: UserId): User | undefined
  /** With the hash, to check a password against. */
  byEmail(email: string): NewUser | undefined
  /** Replaces the hash `from`. Returns false when the hash has changed meanwhile. */
  changePassword(id: UserId, from: string, to: string): boolean
  /** Deletes the user with their sessions, memberships and invites. */
  delete(id: UserId): void
}

export function createUsers(db: Database): Users {
  const insert = prepareQuery(db, (q, given: NewUser & { now: number }) =>
    q
      .insertInto('users')
      .values({
        id: given.id,
        email: given.email,
        name: given.name,
        password_hash: given.passwordHash,
        created_at: given.now,
      })
      .onConflict((conflict) => conflict.column('email').doNothing()),
  )
  const selectById = prepareQuery(db, (q, given: { id: UserId }) =>
    q.selectFrom('users').select(['id', 'email', 'name']).where('id', '=', given.id),
  )
  const selectByEmail = prepareQuery(db, (q, given: { email: string }) =>
    q
      .selectFrom('users')
      .select(['id', 'email', 'name', 'password_hash as passwordHash'])
      .where('email', '=', given.email),
  )
  const updatePassword = prepareQuery(db, (q, given: { id: UserId; from: string; to: string }) =>
    q
      .updateTable('users')
      .set({ password_hash: given.to })
      .where('id', '=', given.id)
      .where('password_hash', '=', given.from),
  )
  const deleteUser = prepareQuery(db, (q, given: { id: UserId }) =>
    q.deleteFrom('users').where('id', '=', given.id),
  )
  return {
    add(user, now) {
      const added = insert.run({ ...user, now }).changes
      if (added === 0) throw new SyncError('already_exists', 'An account with this e-mail address exists')
    },
    byId: (id) => selectById.get({ id }),
    byEmail: (email) => selectByEmail.get({ email }),
    changePassword: (id, from, to) => updatePassword.run({ id, from, to }).changes > 0,
    delete: (id) => void deleteUser.run({ id }),
  }
}
