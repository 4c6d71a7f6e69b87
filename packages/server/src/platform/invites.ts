import { SyncError, type Role, type SpaceId, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import type { Members } from './members.ts'
import { hashOpaqueToken, newOpaqueToken } from './opaque-token.ts'
import { prepareQuery } from './prepared-query.ts'

export const inviteTtlMs = 7 * 24 * 60 * 60 * 1000

/** How long an invite is remembered after it ended, so that it can be said that it is too old. */
const rememberedMs = 30 * 24 * 60 * 60 * 1000

export interface Invites {
  /** Good for everyone who has the token, as often as they like, until it expires. */
  add(
    invite: { readonly spaceId: SpaceId; readonly role: Role; readonly createdBy: UserId },
    now: number,
  ): { readonly token: string; readonly expiresAt: number }
  /**
   * Makes the user a member; who is one already keeps their role. Throws `not_found` for an unknown token,
   * and `invite_expired` when it is too old or whoever made it is no owner any more.
   */
  accept(token: string, userId: UserId, now: number): { readonly spaceId: SpaceId; readonly added: boolean }
  removeExpired(now: number): void
}

export function createInvites(db: Database, members: Members): Invites {
  const insert = prepareQuery(
    db,
    (q, given: { hash: string; spaceId: SpaceId; role: Role; createdBy: UserId; expiresAt: number }) =>
      q.insertInto('invites').values({
        token_hash: given.hash,
        space_id: given.spaceId,
        role: given.role,
        created_by: given.createdBy,
        expires_at: given.expiresAt,
      }),
  )
  const select = prepareQuery(db, (q, given: { hash: string }) =>
    q
      .selectFrom('invites')
      .select(['space_id as spaceId', 'role', 'created_by as createdBy', 'expires_at as expiresAt'])
      .where('token_hash', '=', given.hash),
  )
  const deleteExpired = prepareQuery(db, (q, given: { before: number }) =>
    q.deleteFrom('invites').where('expires_at', '<', given.before),
  )

  const accept = db.transaction((token: string, userId: UserId, now: number) => {
    const invite = select.get({ hash: hashOpaqueToken(token) })
    if (invite === undefined) throw new SyncError('not_found', 'No such invite')
    const { spaceId, role, createdBy, expiresAt } = invite
    if (expiresAt <= now || members.roleOf(spaceId, createdBy) !== 'owner') {
      throw new SyncError('invite_expired', 'This invite is no longer good: ask for a new one')
    }
    return { spaceId, added: members.add(spaceId, userId, role, now) }
  })

  return {
    add(invite, now) {
      const token = newOpaqueToken()
      const expiresAt = now + inviteTtlMs
      insert.run({ hash: hashOpaqueToken(token), ...invite, expiresAt })
      return { token, expiresAt }
    },
    accept: (token, userId, now) => accept.immediate(token, userId, now),
    removeExpired: (now) => void deleteExpired.run({ before: now - rememberedMs }),
  }
}
