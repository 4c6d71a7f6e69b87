import type { SpaceId, UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { prepareQuery } from './prepare-query.ts'

/** How long entries are kept, in ms. */
export const auditKeptMs = 365 * 24 * 60 * 60 * 1000

/** All that is noted, in words that a command, and the admin page, show. */
export const auditedActions = [
  'account created',
  'account deleted',
  'name changed',
  'address changed',
  'password changed',
  'password reset',
  'link to set a password made',
  'link to set a password sent',
  'password set by a link',
  'connected with the provider',
  'disconnected from the provider',
  'passkey added',
  'passkey removed',
  'signed out everywhere',
  'signed out everywhere else',
  'session ended',
  'session ended by a reused token',
  'made an admin',
  'made a member',
  'invite to the server made',
  'invite to the server withdrawn',
  'registration open',
  'registration by invite',
  'registration closed',
  'registration by the setting',
  'space deleted',
  'space exported',
  'space imported',
  'joined by an invite',
  'left',
  'removed',
  'role changed',
  'invite made',
  'invite withdrawn',
] as const

export type AuditedAction = (typeof auditedActions)[number]

/** Who did what to whom, and from where. Names nobody: an id stays when an account is deleted, and a name must not. */
export interface AuditEntry {
  /** Unix milliseconds. */
  readonly at: number
  /** Whoever did it; undefined for the operator's command. */
  readonly actorId: UserId | undefined
  readonly action: AuditedAction
  /** The account that it was done to. */
  readonly userId?: UserId | undefined
  readonly spaceId?: SpaceId | undefined
  /** Where it was asked from; undefined for the operator's command. */
  readonly address?: string | undefined
}

/** What people and the operator did that others will ask about. */
export interface Audit {
  /** Not a transaction with what was done: a crash in between leaves it out. The log has a line as well. */
  note(entry: AuditEntry): void
  /** The newest entries of an account, by it and about it, the newest first. */
  ofUser(userId: UserId, limit: number): AuditEntry[]
  /** The newest entries about a space, the newest first. */
  ofSpace(spaceId: SpaceId, limit: number): AuditEntry[]
  /** The newest entries about no account and no space, the newest first. */
  ofServer(limit: number): AuditEntry[]
  removeOld(now: number): void
}

export function createAudit(db: Database): Audit {
  type Given = Readonly<Record<'actorId' | 'userId', UserId | null>> & {
    readonly at: number
    readonly action: AuditedAction
    readonly spaceId: SpaceId | null
    readonly address: string | null
  }
  const insert = prepareQuery(db, (q, given: Given) =>
    q.insertInto('audit').values({
      nr: sql.lit(null),
      at: given.at,
      actor_id: given.actorId,
      action: given.action,
      user_id: given.userId,
      space_id: given.spaceId,
      address: given.address,
    }),
  )
  const selectOfUser = prepareQuery(db, (q, given: { userId: UserId; limit: number }) =>
    q
      .selectFrom('audit')
      .select(['at', 'actor_id', 'action', 'user_id', 'space_id', 'address'])
      .where((eb) => eb.or([eb('user_id', '=', given.userId), eb('actor_id', '=', given.userId)]))
      .orderBy('nr', 'desc')
      .limit(given.limit),
  )
  const selectOfSpace = prepareQuery(db, (q, given: { spaceId: SpaceId; limit: number }) =>
    q
      .selectFrom('audit')
      .select(['at', 'actor_id', 'action', 'user_id', 'space_id', 'address'])
      .where('space_id', '=', given.spaceId)
      .orderBy('nr', 'desc')
      .limit(given.limit),
  )
  const selectOfServer = prepareQuery(db, (q, given: { limit: number }) =>
    q
      .selectFrom('audit')
      .select(['at', 'actor_id', 'action', 'user_id', 'space_id', 'address'])
      .where('user_id', 'is', sql.lit(null))
      .where('space_id', 'is', sql.lit(null))
      .orderBy('nr', 'desc')
      .limit(given.limit),
  )
  const deleteOld = prepareQuery(db, (q, given: { before: number }) =>
    q.deleteFrom('audit').where('at', '<', given.before),
  )

  function entryOf(row: ReturnType<typeof selectOfSpace.all>[number]): AuditEntry {
    return {
      at: row.at,
      actorId: row.actor_id ?? undefined,
      action: row.action,
      userId: row.user_id ?? undefined,
      spaceId: row.space_id ?? undefined,
      address: row.address ?? undefined,
    }
  }

  return {
    note: ({ at, actorId = null, action, userId = null, spaceId = null, address = null }) =>
      void insert.run({ at, actorId, action, userId, spaceId, address }),
    ofUser: (userId, limit) => selectOfUser.all({ userId, limit }).map(entryOf),
    ofSpace: (spaceId, limit) => selectOfSpace.all({ spaceId, limit }).map(entryOf),
    ofServer: (limit) => selectOfServer.all({ limit }).map(entryOf),
    removeOld: (now) => void deleteOld.run({ before: now - auditKeptMs }),
  }
}
