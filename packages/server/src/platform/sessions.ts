import { randomHexId, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { isUnwritable } from '../sqlite/storage-failure.ts'
import { hashOpaqueToken } from './opaque-token.ts'
import { prepareQuery } from './prepare-query.ts'
import { createRefreshTokens } from './refresh-tokens.ts'

/**
 * How long the token that began a generation stays valid, in ms.
 *
 * A session is a family of refresh tokens. Each refresh begins a new generation, and only tokens of the current one are
 * valid. Using an older one means that two parties hold the session, one of them a thief, and ends it.
 *
 * There is one honest case: the answer to a refresh was lost, or two tabs refreshed at once. So the token that began a
 * generation stays valid for a short time, and gives a sibling within that generation instead of a new one. The sibling
 * that is used first outdates the others at once. So a quick thief is still discovered, by the next refresh of the
 * other party, however quick.
 *
 * A database that was restored from a backup has not seen the newest generations. A token carries its generation,
 * signed. One that is ahead of the database is honest, and users stay signed in.
 */
export const refreshGraceMs = 30_000

/**
 * Generations of a session whose tokens keep their rows. A token of any generation says its own, signed. A row is needed
 * only for one that another secret signed, and of those only the newest two are still good (docs/decisions/0067).
 */
const storedGenerations = 2

/** Rows that one refresh removes at most: a session of an earlier version may have a thousand. */
const forgottenAtOnce = 100
/** The same for one tidying, which nobody waits for but everybody meanwhile: some tens of ms. */
const tidiedAtOnce = 10_000

export type RefreshVerdict = 'current' | 'ahead' | 'grace' | 'reused'

export function judgeRefresh(
  token: { readonly generation: number; readonly hash: string },
  session: { readonly generation: number; readonly rotatedAt: number; readonly rotatedBy: string },
  now: number,
): RefreshVerdict {
  if (token.generation === session.generation) return 'current'
  if (token.generation > session.generation) return 'ahead'
  const isRepeated = token.hash === session.rotatedBy
  return isRepeated && now - session.rotatedAt <= refreshGraceMs ? 'grace' : 'reused'
}

export interface IssuedRefresh {
  readonly sessionId: string
  readonly userId: UserId
  readonly refreshToken: string
}

export interface Sessions {
  /** `device` is a short name of the device, for its user. */
  start(userId: UserId, now: number, device?: string): IssuedRefresh
  /**
   * Exchanges a refresh token, and postpones the session's end. While nothing can be written, the session goes on as it is:
   * the token that is in use stays so. `ended` names a session that was ended because the
   * token was reused: its sockets must end too. Undefined for a token that is unknown or too old. A session whose device
   * is not known is given the name.
   */
  refresh(
    refreshToken: string,
    now: number,
    device?: string,
  ): IssuedRefresh | { readonly ended: string; readonly owner: UserId } | undefined
  /** The user of a session that has not ended. */
  userOf(sessionId: string, now: number): UserId | undefined
  /** The session that a refresh token would renew. */
  idByToken(refreshToken: string, now: number): string | undefined
  /** Whether this server issued the token, also for a session that has ended. */
  hasIssued(refreshToken: string): boolean
  /** Ends a session. Repeating it is harmless. */
  end(sessionId: string): void
  /** Ends all of a user's sessions and returns which. */
  endAll(userId: UserId): string[]
  /** Ends all of a user's sessions but one, and returns which. */
  endOthers(userId: UserId, keptId: string): string[]
  /** Ends all sessions of everybody. Returns how many of how many users. */
  endEverybodys(): { readonly users: number; readonly ended: number }
  /** Removes sessions that have ended, and of the others some of the rows of tokens that are too old to be renewed. */
  removeExpired(now: number): void
}

export interface SessionsOptions {
  readonly refreshTokenTtlMs: number
  /** Signs refresh tokens. After it changes, tokens that the database knows stay valid. */
  readonly signingSecret: string
}

export function createSessions(db: Database, options: SessionsOptions): Sessions {
  const refreshTokens = createRefreshTokens(options.signingSecret)
  const insert = prepareQuery(
    db,
    (q, given: { id: string; userId: UserId; createdAt: number; expiresAt: number; device: string }) =>
      q.insertInto('sessions').values({
        id: given.id,
        user_id: given.userId,
        created_at: given.createdAt,
        expires_at: given.expiresAt,
        generation: sql.lit(0),
        rotated_at: given.createdAt,
        rotated_by: sql.lit(''),
        device: given.device,
      }),
  )
  const insertToken = prepareQuery(db, (q, given: { hash: string; sessionId: string; generation: number }) =>
    q.insertInto('refresh_tokens').values({
      token_hash: given.hash,
      session_id: given.sessionId,
      generation: given.generation,
    }),
  )
  const selectByToken = prepareQuery(db, (q, given: { hash: string }) =>
    q
      .selectFrom('refresh_tokens')
      .innerJoin('sessions', 'sessions.id', 'refresh_tokens.session_id')
      .select([
        'sessions.id as sessionId',
        'sessions.user_id as userId',
        'sessions.expires_at as expiresAt',
        'sessions.generation as generation',
        'sessions.rotated_at as rotatedAt',
        'sessions.rotated_by as rotatedBy',
        'refresh_tokens.generation as tokenGeneration',
      ])
      .where('refresh_tokens.token_hash', '=', given.hash),
  )
  const selectSession = prepareQuery(db, (q, given: { id: string }) =>
    q
      .selectFrom('sessions')
      .select(['id as sessionId', 'user_id as userId', 'expires_at as expiresAt'])
      .select(['generation', 'rotated_at as rotatedAt', 'rotated_by as rotatedBy'])
      .where('id', '=', given.id),
  )
  const rotate = prepareQuery(
    db,
    (
      q,
      given: {
        id: string
        generation: number
        now: number
        by: string
        expiresAt: number
        device: string
      },
    ) =>
      q
        .updateTable('sessions')
        .set({ generation: given.generation, rotated_at: given.now, rotated_by: given.by })
        .set({ expires_at: given.expiresAt, device: sql<string>`iif(device = '', ${given.device}, device)` })
        .where('id', '=', given.id),
  )
  const forgetTokens = prepareQuery(db, (q, given: { sessionId: string; before: number }) =>
    q
      .deleteFrom('refresh_tokens')
      .where('token_hash', 'in', (old) =>
        old
          .selectFrom('refresh_tokens')
          .select('token_hash')
          .where('session_id', '=', given.sessionId)
          .where('generation', '<', given.before)
          .limit(sql.lit(forgottenAtOnce)),
      ),
  )
  const tidyTokens = prepareQuery(db, (q, _given: object) =>
    q.deleteFrom('refresh_tokens').where('token_hash', 'in', (old) =>
      old
        .selectFrom('refresh_tokens')
        .innerJoin('sessions', 'sessions.id', 'refresh_tokens.session_id')
        .select('token_hash')
        .where(sql<boolean>`refresh_tokens.generation <= sessions.generation - ${sql.lit(storedGenerations)}`)
        .limit(sql.lit(tidiedAtOnce)),
    ),
  )
  const selectLive = prepareQuery(db, (q, given: { id: string; now: number }) =>
    q
      .selectFrom('sessions')
      .select('user_id as userId')
      .where('id', '=', given.id)
      .where('expires_at', '>', given.now),
  )
  const selectOfUser = prepareQuery(db, (q, given: { userId: UserId }) =>
    q.selectFrom('sessions').select('id').where('user_id', '=', given.userId),
  )
  const deleteOne = prepareQuery(db, (q, given: { id: string }) =>
    q.deleteFrom('sessions').where('id', '=', given.id),
  )
  const deleteAll = prepareQuery(db, (q, _given: object) => q.deleteFrom('sessions'))
  const countAll = prepareQuery(db, (q, _given: object) =>
    q
      .selectFrom('sessions')
      .select((of) => [
        of.fn.countAll<number>().as('ended'),
        of.fn.count<number>('user_id').distinct().as('users'),
      ]),
  )
  const deleteExpired = prepareQuery(db, (q, given: { now: number }) =>
    q.deleteFrom('sessions').where('expires_at', '<=', given.now),
  )

  function issue(sessionId: string, userId: UserId, generation: number): IssuedRefresh {
    const refreshToken = refreshTokens.issue({ sessionId, generation })
    insertToken.run({ hash: hashOpaqueToken(refreshToken), sessionId, generation })
    return { sessionId, userId, refreshToken }
  }

  /** The session of a token, if it has not expired, with the verdict on the token. */
  function find(token: string, now: number) {
    const hash = hashOpaqueToken(token)
    const found = selectByToken.get({ hash }) ?? findSigned(token)
    if (found === undefined || found.expiresAt <= now) return undefined
    return { ...found, hash, verdict: judgeRefresh({ generation: found.tokenGeneration, hash }, found, now) }
  }

  function findSigned(token: string) {
    const claims = refreshTokens.read(token)
    const session = claims && selectSession.get({ id: claims.sessionId })
    return session && { ...session, tokenGeneration: claims.generation }
  }

  const start = db.transaction((userId: UserId, now: number, device: string): IssuedRefresh => {
    const id = randomHexId()
    insert.run({ id, userId, createdAt: now, expiresAt: now + options.refreshTokenTtlMs, device })
    return issue(id, userId, 0)
  })

  type Refreshed = ReturnType<Sessions['refresh']>
  const refresh = db.transaction((token: string, now: number, device: string): Refreshed => {
    const found = find(token, now)
    if (found === undefined) return undefined
    const { sessionId, userId, generation, tokenGeneration, hash: by } = found
    switch (found.verdict) {
      case 'grace':
        return issue(sessionId, userId, generation)
      case 'current':
      case 'ahead': {
        const next = tokenGeneration + 1
        const expiresAt = now + options.refreshTokenTtlMs
        rotate.run({ id: sessionId, generation: next, now, by, expiresAt, device })
        forgetTokens.run({ sessionId, before: next + 1 - storedGenerations })
        return issue(sessionId, userId, next)
      }
      case 'reused':
        deleteOne.run({ id: sessionId })
        return { ended: sessionId, owner: userId }
    }
  })

  /**
   * People go on reading while the disk is full: no generation begins, and the token stays the one in use. One that is only
   * repeated would be too old by the next time. Its session gives a sibling instead, which needs no row: it is signed.
   * Undefined for a reused token, whose session cannot be ended now.
   */
  function refreshUnwritten(token: string, now: number): IssuedRefresh | undefined {
    const found = find(token, now)
    if (found === undefined || found.verdict === 'reused') return undefined
    const { sessionId, userId, generation, verdict } = found
    const refreshToken = verdict === 'grace' ? refreshTokens.issue({ sessionId, generation }) : token
    return { sessionId, userId, refreshToken }
  }

  const endAll = db.transaction((userId: UserId, keptId?: string): string[] => {
    const ids = selectOfUser.all({ userId }).flatMap(({ id }) => (id === keptId ? [] : [id]))
    for (const id of ids) deleteOne.run({ id })
    return ids
  })

  const endEverybodys = db.transaction(() => {
    const counted = countAll.get({}) ?? { users: 0, ended: 0 }
    deleteAll.run({})
    return counted
  })

  return {
    endEverybodys: () => endEverybodys.immediate(),
    start: (userId, now, device = '') => start.immediate(userId, now, device),
    refresh(token, now, device = '') {
      try {
        return refresh.immediate(token, now, device)
      } catch (error) {
        const unwritten = isUnwritable(error) ? refreshUnwritten(token, now) : undefined
        if (unwritten === undefined) throw error
        return unwritten
      }
    },
    userOf: (id, now) => selectLive.get({ id, now })?.userId,
    idByToken(token, now) {
      const found = find(token, now)
      return found === undefined || found.verdict === 'reused' ? undefined : found.sessionId
    },
    hasIssued: (token) =>
      refreshTokens.read(token) !== undefined ||
      selectByToken.get({ hash: hashOpaqueToken(token) }) !== undefined,
    end: (id) => void deleteOne.run({ id }),
    endAll: (userId) => endAll.immediate(userId),
    endOthers: (userId, keptId) => endAll.immediate(userId, keptId),
    removeExpired(now) {
      deleteExpired.run({ now })
      tidyTokens.run({})
    },
  }
}
