import { limits, type Passkey, SyncError, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { prepareQuery } from './prepare-query.ts'

/** A passkey as the server checks it. */
export interface PasskeyKey {
  /** The authenticator's name for it, base64url. */
  readonly id: string
  /** COSE. */
  readonly publicKey: Uint8Array<ArrayBuffer>
  /** How often it was used, as the authenticator says; 0 for ever where it does not count. */
  readonly counter: number
}

/** The keys with which people sign in without a password (WebAuthn). Each is for one host name, `rpId`. */
export interface Passkeys {
  /** Of an account, the oldest first, whatever their host names. */
  ofUser(userId: UserId): Passkey[]
  /** Those of an account that work at a host name. */
  idsOf(userId: UserId, rpId: string): string[]
  find(id: string, rpId: string): (PasskeyKey & { readonly userId: UserId }) | undefined
  /** Throws `already_exists` for one that somebody has, and `forbidden` beyond `limits.maxPasskeys`. */
  add(
    userId: UserId,
    passkey: PasskeyKey & { readonly name: string; readonly rpId: string },
    now: number,
  ): void
  /** Notes that a passkey was used. Returns false if it was removed or used since it was found. */
  noteUse(found: PasskeyKey, counter: number, now: number): boolean
  /** Returns false if the account has no such passkey. Not a transaction of its own. */
  remove(userId: UserId, id: string): boolean
  /** Removes those of an account, but for one. Not a transaction of its own. */
  removeAll(userId: UserId, exceptId?: string): void
}

export function createPasskeys(db: Database): Passkeys {
  const selectOf = prepareQuery(db, (q, given: { userId: UserId }) =>
    q
      .selectFrom('passkeys')
      .select(['id', 'name', 'created_at as createdAt', 'last_used_at as lastUsedAt', 'rp_id as rpId'])
      .where('user_id', '=', given.userId)
      .orderBy('created_at')
      .orderBy('id'),
  )
  const select = prepareQuery(db, (q, given: { id: string; rpId: string }) =>
    q
      .selectFrom('passkeys')
      .select(['id', 'user_id as userId', 'public_key as publicKey', 'counter'])
      .where('id', '=', given.id)
      .where('rp_id', '=', given.rpId),
  )
  const insert = prepareQuery(
    db,
    (q, given: PasskeyKey & { userId: UserId; name: string; rpId: string; now: number }) =>
      q
        .insertInto('passkeys')
        .values({
          id: given.id,
          user_id: given.userId,
          rp_id: given.rpId,
          public_key: given.publicKey,
          counter: given.counter,
          name: given.name,
          created_at: given.now,
          last_used_at: sql.lit(null),
        })
        .onConflict((conflict) => conflict.doNothing()),
  )
  const update = prepareQuery(db, (q, given: { id: string; before: number; counter: number; now: number }) =>
    q
      .updateTable('passkeys')
      .set({ counter: given.counter, last_used_at: given.now })
      .where('id', '=', given.id)
      .where('counter', '=', given.before),
  )
  const deleteOne = prepareQuery(db, (q, given: { userId: UserId; id: string }) =>
    q.deleteFrom('passkeys').where('user_id', '=', given.userId).where('id', '=', given.id),
  )
  const deleteOthers = prepareQuery(db, (q, given: { userId: UserId; exceptId: string }) =>
    q.deleteFrom('passkeys').where('user_id', '=', given.userId).where('id', '!=', given.exceptId),
  )
  const add = db.transaction((given: Parameters<typeof insert.run>[0]) => {
    if (selectOf.all(given).length >= limits.maxPasskeys) {
      const message = `An account has at most ${limits.maxPasskeys} passkeys: remove one first`
      throw new SyncError('forbidden', message, { reason: 'too_many_passkeys' })
    }
    if (insert.run(given).changes === 0) {
      throw new SyncError('already_exists', 'This passkey is there already', { reason: 'passkey_known' })
    }
  })
  return {
    ofUser: (userId) =>
      selectOf
        .all({ userId })
        .map(({ id, name, createdAt, lastUsedAt }) => ({ id, name, createdAt, lastUsedAt })),
    idsOf: (userId, rpId) => selectOf.all({ userId }).flatMap((it) => (it.rpId === rpId ? [it.id] : [])),
    find(id, rpId) {
      const found = select.get({ id, rpId })
      return found && { ...found, publicKey: new Uint8Array(found.publicKey) }
    },
    add: (userId, passkey, now) => add.immediate({ ...passkey, userId, now }),
    noteUse: ({ id, counter: before }, counter, now) => update.run({ id, before, counter, now }).changes > 0,
    remove: (userId, id) => deleteOne.run({ userId, id }).changes > 0,
    removeAll: (userId, exceptId = '') => void deleteOthers.run({ userId, exceptId }),
  }
}
