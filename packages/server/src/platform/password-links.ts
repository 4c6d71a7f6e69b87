import { SyncError, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { rememberedMs } from './invites.ts'
import { hashOpaqueToken, newOpaqueToken } from './opaque-token.ts'
import { prepareQuery } from './prepare-query.ts'

/** How long a link lasts that the operator passes on, in ms. */
export const passwordLinkTtlMs = 24 * 60 * 60 * 1000
/** How long a link lasts that is sent by mail, in ms. Nobody has to be met for it. */
export const mailedLinkTtlMs = 60 * 60 * 1000

export interface IssuedLink {
  readonly token: string
  /** Unix milliseconds. */
  readonly expiresAt: number
}

export interface FoundLink {
  readonly userId: UserId
  readonly expiresAt: number
  /** It was sent to the account's address. */
  readonly isMailed: boolean
}

/** Links by which somebody who forgot their password sets another, once. */
export interface PasswordLinks {
  /** Makes a link for the operator to pass on, and ends the earlier ones of the account. */
  add(userId: UserId, now: number): IssuedLink
  /**
   * Makes a link to be sent to the account's address. Anybody may ask for one, so it ends no earlier link: strangers could
   * keep a person from using theirs.
   */
  addMailed(userId: UserId, now: number): IssuedLink
  /** How many links to be sent were made for an account since a time. */
  mailedSince(userId: UserId, since: number): number
  /**
   * Whose link it is. Throws `not_found` for a token that is none, and `invite_expired` for a link that was used, is too old,
   * or is void since there is a newer one or the password was changed.
   */
  find(token: string, now: number): FoundLink
  /** Ends all links of an account. Not a transaction of its own. */
  endAll(userId: UserId, now: number): void
  removeExpired(now: number): void
}

export function createPasswordLinks(db: Database): PasswordLinks {
  type Given = { hash: string; userId: UserId; now: number; expiresAt: number; byMail: number }
  const insert = prepareQuery(db, (q, given: Given) =>
    q.insertInto('password_links').values({
      token_hash: given.hash,
      user_id: given.userId,
      created_at: given.now,
      expires_at: given.expiresAt,
      ended_at: sql.lit(null),
      by_mail: given.byMail,
    }),
  )
  const select = prepareQuery(db, (q, given: { hash: string }) =>
    q
      .selectFrom('password_links')
      .select(['user_id as userId', 'expires_at as expiresAt', 'ended_at as endedAt', 'by_mail as byMail'])
      .where('token_hash', '=', given.hash),
  )
  const countMailed = prepareQuery(db, (q, given: { userId: UserId; since: number }) =>
    q
      .selectFrom('password_links')
      .select((links) => links.fn.countAll<number>().as('count'))
      .where('user_id', '=', given.userId)
      .where('by_mail', '=', sql.lit(1))
      .where('created_at', '>', given.since),
  )
  const end = prepareQuery(db, (q, given: { userId: UserId; now: number }) =>
    q
      .updateTable('password_links')
      .set({ ended_at: given.now })
      .where('user_id', '=', given.userId)
      .where('ended_at', 'is', sql.lit(null)),
  )
  const deleteExpired = prepareQuery(db, (q, given: { before: number }) =>
    q.deleteFrom('password_links').where('expires_at', '<', given.before),
  )

  const add = db.transaction((given: Given) => {
    end.run(given)
    insert.run(given)
  })

  return {
    add(userId, now) {
      const token = newOpaqueToken()
      const expiresAt = now + passwordLinkTtlMs
      add.immediate({ hash: hashOpaqueToken(token), userId, now, expiresAt, byMail: 0 })
      return { token, expiresAt }
    },
    addMailed(userId, now) {
      const token = newOpaqueToken()
      const expiresAt = now + mailedLinkTtlMs
      insert.run({ hash: hashOpaqueToken(token), userId, now, expiresAt, byMail: 1 })
      return { token, expiresAt }
    },
    mailedSince: (userId, since) => countMailed.get({ userId, since })?.count ?? 0,
    find(token, now) {
      const link = select.get({ hash: hashOpaqueToken(token) })
      if (link === undefined) throw new SyncError('not_found', 'There is no such link to set a password')
      if (link.endedAt !== null || link.expiresAt <= now) {
        const message =
          'This link to set a password was used, is too old, or was replaced by a newer one: ask for a new one'
        throw new SyncError('invite_expired', message)
      }
      return { userId: link.userId, expiresAt: link.expiresAt, isMailed: link.byMail === 1 }
    },
    endAll: (userId, now) => void end.run({ userId, now }),
    removeExpired: (now) => void deleteExpired.run({ before: now - rememberedMs }),
  }
}
