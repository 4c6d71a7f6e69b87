import { SyncError, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import { hashOpaqueToken, newOpaqueToken } from './opaque-token.ts'
import { prepareQuery } from './prepare-query.ts'

/** How long the link lasts that is sent to a new address, in ms. */
export const addressChangeTtlMs = 60 * 60 * 1000

/** Addresses that accounts are about to have, once somebody has shown that they read mail there. */
export interface AddressChanges {
  /** Returns the token of the link. Ends an earlier one of the account. */
  add(userId: UserId, email: string, now: number): string
  /** The address of the link. Throws `invite_expired` for one that was used, is too old, or is void, or of another account. */
  find(userId: UserId, token: string, now: number): string
  /** Not a transaction of its own. */
  end(userId: UserId): void
  removeExpired(now: number): void
}

export function createAddressChanges(db: Database): AddressChanges {
  const upsert = prepareQuery(
    db,
    (q, given: { userId: UserId; hash: string; email: string; expiresAt: number }) => {
      const row = { token_hash: given.hash, email: given.email, expires_at: given.expiresAt }
      return q
        .insertInto('address_changes')
        .values({ user_id: given.userId, ...row })
        .onConflict((conflict) => conflict.column('user_id').doUpdateSet(row))
    },
  )
  const select = prepareQuery(db, (q, given: { userId: UserId; hash: string }) =>
    q
      .selectFrom('address_changes')
      .select(['email', 'expires_at as expiresAt'])
      .where('user_id', '=', given.userId)
      .where('token_hash', '=', given.hash),
  )
  const deleteOf = prepareQuery(db, (q, given: { userId: UserId }) =>
    q.deleteFrom('address_changes').where('user_id', '=', given.userId),
  )
  const deleteExpired = prepareQuery(db, (q, given: { now: number }) =>
    q.deleteFrom('address_changes').where('expires_at', '<=', given.now),
  )
  return {
    add(userId, email, now) {
      const token = newOpaqueToken()
      upsert.run({ userId, hash: hashOpaqueToken(token), email, expiresAt: now + addressChangeTtlMs })
      return token
    },
    find(userId, token, now) {
      const change = select.get({ userId, hash: hashOpaqueToken(token) })
      if (change === undefined || change.expiresAt <= now) {
        const message =
          'This link was used, is too old, was replaced by a newer one, or is for another account'
        throw new SyncError('invite_expired', message)
      }
      return change.email
    },
    end: (userId) => void deleteOf.run({ userId }),
    removeExpired: (now) => void deleteExpired.run({ now }),
  }
}
