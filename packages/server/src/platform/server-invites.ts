import { SyncError } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { inviteTtlMs, rememberedMs } from './invites.ts'
import { hashOpaqueToken, newOpaqueToken } from './opaque-token.ts'
import { prepareQuery } from './prepare-query.ts'

/** Invites to the server. Each lets one person sign up. The operator makes them, and so does an admin. */
export interface ServerInvites {
  add(now: number): { readonly token: string; readonly expiresAt: number }
  /** Whether there is an invite with this token, valid or not. */
  has(token: string): boolean
  /** Throws `invite_expired` when the invite was used or is too old. */
  check(token: string, now: number): void
  /** Uses the invite up. Throws like `check`. */
  use(token: string, now: number): void
  /** Removes the invite of this id (`AdminPages.serverInvites`). Returns false when there is none that admits anybody. */
  revoke(id: string, now: number): boolean
  removeExpired(now: number): void
}

export function createServerInvites(db: Database): ServerInvites {
  const insert = prepareQuery(db, (q, given: { hash: string; now: number; expiresAt: number }) =>
    q.insertInto('server_invites').values({
      token_hash: given.hash,
      created_at: given.now,
      expires_at: given.expiresAt,
      used_at: sql.lit(null),
    }),
  )
  const select = prepareQuery(db, (q, given: { hash: string }) =>
    q
      .selectFrom('server_invites')
      .select(['expires_at as expiresAt', 'used_at as usedAt'])
      .where('token_hash', '=', given.hash),
  )
  const updateUsed = prepareQuery(db, (q, given: { hash: string; now: number }) =>
    q
      .updateTable('server_invites')
      .set({ used_at: given.now })
      .where('token_hash', '=', given.hash)
      .where('used_at', 'is', sql.lit(null))
      .where('expires_at', '>', given.now),
  )
  const deleteUnused = prepareQuery(db, (q, given: { id: string; now: number }) =>
    q
      .deleteFrom('server_invites')
      .where('token_hash', '=', given.id)
      .where('used_at', 'is', sql.lit(null))
      .where('expires_at', '>', given.now),
  )
  const deleteExpired = prepareQuery(db, (q, given: { before: number }) =>
    q.deleteFrom('server_invites').where('expires_at', '<', given.before),
  )

  return {
    add(now) {
      const token = newOpaqueToken()
      const expiresAt = now + inviteTtlMs
      insert.run({ hash: hashOpaqueToken(token), now, expiresAt })
      return { token, expiresAt }
    },
    has: (token) => select.get({ hash: hashOpaqueToken(token) }) !== undefined,
    check(token, now) {
      const invite = select.get({ hash: hashOpaqueToken(token) })
      if (invite === undefined || invite.usedAt !== null || invite.expiresAt <= now) throw expired()
    },
    use(token, now) {
      if (updateUsed.run({ hash: hashOpaqueToken(token), now }).changes === 0) throw expired()
    },
    revoke: (id, now) => deleteUnused.run({ id, now }).changes > 0,
    removeExpired: (now) => void deleteExpired.run({ before: now - rememberedMs }),
  }
}

function expired(): SyncError {
  return new SyncError('invite_expired', 'This invite was used or is too old: ask for a new one')
}
