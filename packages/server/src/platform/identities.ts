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
  return {
    userOf: (identity) => select.get(identity)?.userId,
    has: (userId, issuer) => selectOf.get({ userId, issuer }) !== undefined,
    add: (identity, userId, now) => insert.run({ ...identity, userId, now }).changes > 0,
    removeAll: (userId) => void deleteOf.run({ userId }),
  }
}
