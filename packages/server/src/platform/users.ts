import { SyncError, type User, type UserId, type ServerRole } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { NoteOfAddress } from './address-notes.ts'
import { prepareQuery } from './prepare-query.ts'

export interface NewUser extends User {
  readonly passwordHash: string
}

export interface Users {
  /** Throws `already_exists` when the address is taken. */
  add(user: NewUser, now: number): void
  /** Whether there is any. */
  exist(): boolean
  byId(id: UserId): User | undefined
  /** With the hash, to check a password against. */
  byEmail(email: string): NewUser | undefined
  /** Replaces the hash `from`. Returns false when the hash has changed meanwhile. */
  changePassword(id: UserId, from: string, to: string): boolean
  /** Changes the name that others see. Returns false when the account is gone. */
  rename(id: UserId, name: string): boolean
  /**
   * Changes the address, and keeps a note of the one before. Throws `already_exists` when it is taken. Not a transaction of its
   * own.
   */
  changeAddress(id: UserId, email: string): void
  /** Whether the account was deleted here, rather than lost. */
  wasDeleted(id: UserId): boolean
  /**
   * The accounts with this address that were deleted here, or have another address since, in the order of their ids:
   * `maxDeleted` of them at most.
   */
  deletedWith(email: string): UserId[]
  /**
   * Deletes the user with their sessions, memberships and invites. What stays is the id, and a note of the address. Not a
   * transaction of its own.
   */
  delete(id: UserId): void
}

/** How many deleted accounts of one address are told apart: a seal names them. */
const maxDeleted = 50

export function createUsers(db: Database, noteOf: NoteOfAddress): Users {
  const insert = prepareQuery(db, (q, given: NewUser & { now: number }) =>
    q
      .insertInto('users')
      .values({
        id: given.id,
        email: given.email,
        name: given.name,
        password_hash: given.passwordHash,
        created_at: given.now,
        // The first account is the administrator's.
        role: sql<ServerRole>`iif(exists (select 1 from users), 'member', 'admin')`,
      })
      .onConflict((conflict) => conflict.column('email').doNothing()),
  )
  const selectAny = prepareQuery(db, (q, _given: object) =>
    q.selectFrom('users').select('id').limit(sql.lit(1)),
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
  const updateName = prepareQuery(db, (q, given: { id: UserId; name: string }) =>
    q.updateTable('users').set({ name: given.name }).where('id', '=', given.id),
  )
  const updateEmail = prepareQuery(db, (q, given: { id: UserId; email: string }) =>
    q.updateTable('users').set({ email: given.email }).where('id', '=', given.id),
  )
  const insertLeft = prepareQuery(db, (q, given: { id: UserId; note: string }) =>
    q
      .insertInto('left_addresses')
      .values({ user_id: given.id, address_note: given.note })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const deleteUser = prepareQuery(db, (q, given: { id: UserId }) =>
    q.deleteFrom('users').where('id', '=', given.id),
  )
  const selectDeletion = prepareQuery(db, (q, given: { id: UserId }) =>
    q.selectFrom('user_deletions').select('user_id').where('user_id', '=', given.id),
  )
  const insertDeletion = prepareQuery(db, (q, given: { id: UserId; note: string }) =>
    q
      .insertInto('user_deletions')
      .values({ user_id: given.id, address_note: given.note })
      .onConflict((conflict) => conflict.column('user_id').doNothing()),
  )
  const selectDeletedWith = prepareQuery(db, (q, given: { note: string }) =>
    q
      .selectFrom('user_deletions')
      .select('user_id as id')
      .where('address_note', '=', given.note)
      .union(q.selectFrom('left_addresses').select('user_id as id').where('address_note', '=', given.note))
      .orderBy('id')
      .limit(sql.lit(maxDeleted)),
  )
  return {
    add(user, now) {
      const added = insert.run({ ...user, now }).changes
      if (added === 0)
        throw new SyncError('already_exists', 'An account with this e-mail address exists', {
          reason: 'address_taken',
        })
    },
    exist: () => selectAny.get({}) !== undefined,
    byId: (id) => selectById.get({ id }),
    byEmail: (email) => selectByEmail.get({ email }),
    changePassword: (id, from, to) => updatePassword.run({ id, from, to }).changes > 0,
    rename: (id, name) => updateName.run({ id, name }).changes > 0,
    changeAddress(id, email) {
      const user = selectById.get({ id })
      if (user === undefined || user.email === email) return
      if (selectByEmail.get({ email }) !== undefined) {
        throw new SyncError('already_exists', 'An account with this e-mail address exists', {
          reason: 'address_taken',
          at: 'email',
        })
      }
      insertLeft.run({ id, note: noteOf(user.email) })
      updateEmail.run({ id, email })
    },
    wasDeleted: (id) => selectDeletion.get({ id }) !== undefined,
    deletedWith: (email) => selectDeletedWith.all({ note: noteOf(email) }).map(({ id }) => id),
    delete(id) {
      const user = selectById.get({ id })
      if (user !== undefined) insertDeletion.run({ id, note: noteOf(user.email) })
      deleteUser.run({ id })
    },
  }
}
