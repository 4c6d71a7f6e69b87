import {
  randomHexId,
  rightsOf,
  SyncError,
  inviteIdSchema,
  type InviteId,
  type InviteRole,
  type InviteSummary,
  type RoleName,
  type SpaceId,
  type UserId,
} from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { AccessLists } from './access-lists.ts'
import type { Members } from './members.ts'
import { hashOpaqueToken, newOpaqueToken } from './opaque-token.ts'
import { prepareQuery } from './prepare-query.ts'
import { sqlRolesWith } from './roles-in-sql.ts'

/** How long an invite lasts, in ms. */
export const inviteTtlMs = 7 * 24 * 60 * 60 * 1000

/** How long an expired invite is kept, in ms, so that its link is refused as too old rather than unknown. */
export const rememberedMs = 30 * 24 * 60 * 60 * 1000

/** How many expired invites of a space are kept, so that making and withdrawing them all day does not fill the disk. */
const maxRemembered = 1_000

/** Active invites of one space. All of them are shown in one list. */
const maxInvites = 100

export interface FoundInvite {
  readonly spaceId: SpaceId
  readonly role: RoleName
  readonly createdBy: UserId
  readonly expiresAt: number
}

export interface Invites {
  /**
   * Creates an invite, which lets in anyone with the token until it expires. Throws `quota_exceeded` when the space has
   * as many as it may.
   */
  add(
    invite: Pick<InviteSummary, 'createdBy'> & { readonly role: InviteRole; readonly spaceId: SpaceId },
    now: number,
  ): { readonly id: InviteId; readonly token: string; readonly expiresAt: number }
  /** The active invites of a space, newest first. Without their tokens, of which only hashes are kept. */
  list(spaceId: SpaceId, now: number): InviteSummary[]
  /** Ends an invite of the space, as if it had expired. Throws `not_found` unless it is active. */
  withdraw(spaceId: SpaceId, id: InviteId, now: number): void
  /** What an invite is, without using it. Throws as `accept` does. */
  find(token: string, now: number): FoundInvite
  /**
   * Makes the user a member; a member keeps the role they have. Throws `not_found` for an unknown token, and
   * `invite_expired` when the invite is too old or its creator may not invite any more. Throws `quota_exceeded` when the
   * space has as many members as it may.
   */
  accept(token: string, userId: UserId, now: number): { readonly spaceId: SpaceId; readonly added: boolean }
  removeExpired(now: number): void
}

export function createInvites(
  db: Database,
  members: Members,
  { announce }: Pick<AccessLists, 'announce'>,
): Invites {
  const insert = prepareQuery(
    db,
    (
      q,
      given: Pick<InviteSummary, 'id' | 'createdBy' | 'createdAt' | 'expiresAt'> & {
        hash: string
        role: InviteRole
        spaceId: SpaceId
      },
    ) =>
      q.insertInto('invites').values({
        token_hash: given.hash,
        id: given.id,
        space_id: given.spaceId,
        role: given.role,
        created_by: given.createdBy,
        created_at: given.createdAt,
        expires_at: given.expiresAt,
        uses: sql.lit(0),
      }),
  )
  const selectActive = prepareQuery(db, (q, given: { spaceId: SpaceId; now: number }) =>
    q
      .selectFrom('invites')
      .innerJoin('members', (join) =>
        join
          .onRef('members.space_id', '=', 'invites.space_id')
          .onRef('members.user_id', '=', 'invites.created_by')
          .on('members.role', 'in', sqlRolesWith('invite')),
      )
      .select(['invites.id', 'invites.role', 'invites.created_by as createdBy', 'invites.uses'])
      .select(['invites.created_at as createdAt', 'invites.expires_at as expiresAt'])
      .where('invites.space_id', '=', given.spaceId)
      .where('invites.expires_at', '>', given.now)
      .orderBy('invites.created_at', 'desc')
      .orderBy('invites.id'),
  )
  const expire = prepareQuery(db, (q, given: { spaceId: SpaceId; id: InviteId; now: number }) =>
    q
      .updateTable('invites')
      .set({ expires_at: given.now })
      .where('space_id', '=', given.spaceId)
      .where('id', '=', given.id)
      .where('expires_at', '>', given.now),
  )
  const countUse = prepareQuery(db, (q, given: { hash: string }) =>
    q
      .updateTable('invites')
      .set((eb) => ({ uses: eb('uses', '+', sql.lit(1)) }))
      .where('token_hash', '=', given.hash),
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

  const forget = prepareQuery(db, (q, given: { spaceId: SpaceId; now: number }) =>
    q
      .deleteFrom('invites')
      .where('id', 'in', (eb) =>
        eb
          .selectFrom('invites')
          .select('id')
          .where('space_id', '=', given.spaceId)
          .where('expires_at', '<=', given.now)
          .orderBy('expires_at', 'desc')
          .limit(sql.lit(-1))
          .offset(sql.lit(maxRemembered)),
      ),
  )

  function find(token: string, now: number): FoundInvite {
    const invite = select.get({ hash: hashOpaqueToken(token) })
    if (invite === undefined) throw new SyncError('not_found', 'No such invite')
    const { spaceId, createdBy, expiresAt } = invite
    if (expiresAt <= now || !rightsOf(members.roleOf(spaceId, createdBy)).invite) {
      throw new SyncError('invite_expired', 'This invite is no longer valid: ask for a new one')
    }
    return invite
  }

  const accept = db.transaction((token: string, userId: UserId, now: number) => {
    const { spaceId, role } = find(token, now)
    const added = members.add(spaceId, userId, role, now)
    if (added) countUse.run({ hash: hashOpaqueToken(token) })
    return { spaceId, added }
  })

  return {
    add(invite, now) {
      const active = selectActive.all({ spaceId: invite.spaceId, now })
      const oldest = active[maxInvites - 1]
      if (oldest !== undefined) {
        const message = `The space has ${maxInvites} active invites: withdraw one first`
        throw new SyncError('quota_exceeded', message, {
          reason: 'too_many_invites',
          retryAfterMs: oldest.expiresAt - now,
        })
      }
      const id = inviteIdSchema.parse(randomHexId())
      const token = newOpaqueToken()
      const expiresAt = now + inviteTtlMs
      insert.run({ hash: hashOpaqueToken(token), id, ...invite, createdAt: now, expiresAt })
      return { id, token, expiresAt }
    },
    list: (spaceId, now) => selectActive.all({ spaceId, now }),
    withdraw(spaceId, id, now) {
      if (expire.run({ spaceId, id, now }).changes === 0) throw new SyncError('not_found', 'No such invite')
      forget.run({ spaceId, now })
    },
    find,
    accept(token, userId, now) {
      const accepted = accept.immediate(token, userId, now)
      announce()
      return accepted
    },
    removeExpired: (now) => void deleteExpired.run({ before: now - rememberedMs }),
  }
}
