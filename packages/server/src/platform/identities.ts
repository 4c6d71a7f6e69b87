import type { UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import { prepareQuery } from './prepare-query.ts'

/** Somebody, as a provider (OpenID Connect) names them. */
export interface Identity {
  readonly issuer: string
  /** Never changes, unlike names and addresses. */
  readonly subject: string
}

/** Who signs in to which account through a provider: at most one person of a provider for each account. */
export interface Identities {
  userOf(identity: Identity): UserId | undefined
  /** Whether somebody of the provider signs in to the account. */
  has(userId: UserId, issuer: string): boolean
  /** Returns false if the person has another account, or the account another person of this provider. */
  add(identity: Identity, userId: UserId, now: number): boolean
  /** Removes those of an account. Not a transaction of its own. */
  removeAll(userId: UserId): void
  /**
   * Removes what connects an account with a provider, and notes it: the address does not connect it again by itself. Returns false if
   * nothing does. Not a transaction of its own.
   */
  end(userId: UserId, issuer: string): boolean
  /** Whether the owner has ended the connection with the provider, and made no other since. */
  isEnded(userId: UserId, issuer: string): boolean
}

export function createIdentities(db: Database): Identities {
  const select = prepareQuery(db, (q, given: Identity) =>
    q
      .selectFrom('identities')
      .select('user_id as userId')
      .where('issuer', '=', given.issuer)
      .where('subject', '=', given.subject),
  )
  const selectOf = prepareQuery(db, (q, given: { userId: UserId; issuer: string }) =>
    q
      .selectFrom('identities')
      .select('subject')
      .where('user_id', '=', given.userId)
      .where('issuer', '=', given.issuer),
  )
  const insert = prepareQuery(db, (q, given: Identity & { userId: UserId; now: number }) =>
    q
      .insertInto('identities')
      .values({
        issuer: given.issuer,
        subject: given.subject,
        user_id: given.userId,
        linked_at: given.now,
      })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const deleteOf = prepareQuery(db, (q, given: { userId: UserId }) =>
    q.deleteFrom('identities').where('user_id', '=', given.userId),
  )
  const deleteFrom = prepareQuery(db, (q, given: { userId: UserId; issuer: string }) =>
    q.deleteFrom('identities').where('user_id', '=', given.userId).where('issuer', '=', given.issuer),
  )
  const insertEnd = prepareQuery(db, (q, given: { userId: UserId; issuer: string }) =>
    q
      .insertInto('ended_identities')
      .values({ user_id: given.userId, issuer: given.issuer })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const selectEnd = prepareQuery(db, (q, given: { userId: UserId; issuer: string }) =>
    q
      .selectFrom('ended_identities')
      .select('issuer')
      .where('user_id', '=', given.userId)
      .where('issuer', '=', given.issuer),
  )
  const deleteEnd = prepareQuery(db, (q, given: { userId: UserId; issuer: string }) =>
    q.deleteFrom('ended_identities').where('user_id', '=', given.userId).where('issuer', '=', given.issuer),
  )
  return {
    userOf: (identity) => select.get(identity)?.userId,
    has: (userId, issuer) => selectOf.get({ userId, issuer }) !== undefined,
    add(identity, userId, now) {
      const isAdded = insert.run({ ...identity, userId, now }).changes > 0
      if (isAdded) deleteEnd.run({ userId, issuer: identity.issuer })
      return isAdded
    },
    removeAll: (userId) => void deleteOf.run({ userId }),
    end(userId, issuer) {
      const isEnded = deleteFrom.run({ userId, issuer }).changes > 0
      if (isEnded) insertEnd.run({ userId, issuer })
      return isEnded
    },
    isEnded: (userId, issuer) => selectEnd.get({ userId, issuer }) !== undefined,
  }
}
