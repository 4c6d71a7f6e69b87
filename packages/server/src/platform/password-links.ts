import { SyncError, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { rememberedMs } from './invites.ts'
import { hashOpaqueToken, newOpaqueToken } from './opaque-token.ts'
import { prepareQuery } from './prepare-query.ts'

/** How long a link lasts, in ms. */
export const passwordLinkTtlMs = 24 * 60 * 60 * 1000

/** Links by which somebody who forgot their password sets another, once. The operator makes them. */
export interface PasswordLinks {
  /** Makes a link, and ends the earlier ones of the account. */
  add(userId: UserId, now: number): { readonly token: string; readonly expiresAt: number }
  /**
   * Whose link it is. Throws `not_found` for a token that is none, and `invite_expired` for a link that was used, is too old,
   * or is void since there is a newer one or the password was changed.
   */
  find(token: string, now: number): { readonly userId: UserId; readonly expiresAt: number }
  /** Ends all links of an account. Not a transaction of its own. */
  endAll(userId: UserId, now: number): void
  removeExpired(now: number): void
}

export function createPasswordLinks(db: Database): PasswordLinks {
  type Given = { hash: string; userId: UserId; now: number; expiresAt: number }
  const insert = prepareQuery(db, (q, given: Given) =>
    q.insertInto('password_links').values({
      token_hash: given.hash,
      user_id: given.userId,
      created_at: given.now,
      expires_at: given.expiresAt,
      ended_at: sql.lit(null),
    }),
  )
  const select = prepareQuery(db, (q, given: { hash: string }) =>
    q
      .selectFrom('password_links')
      .select(['user_id as userId', 'expires_at as expiresAt', 'ended_at as endedAt'])
      .where('token_hash', '=', given.hash),
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
      add.immediate({ hash: hashOpaqueToken(token), userId, now, expiresAt })
      return { token, expiresAt }
    },
    find(token, now) {
      const link = select.get({ hash: hashOpaqueToken(token) })
      if (link === undefined) throw new SyncError('not_found', 'There is no such link to set a password')
      if (link.endedAt !== null || link.expiresAt <= now) {
        const message =
          'This link to set a password was used, is too old, or was replaced by a newer one: ask for a new one'
        throw new SyncError('invite_expired', message)
      }
      return { userId: link.userId, expiresAt: link.expiresAt }
    },
    endAll: (userId, now) => void end.run({ userId, now }),
    removeExpired: (now) => void deleteExpired.run({ before: now - rememberedMs }),
  }
}
