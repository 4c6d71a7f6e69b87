import { randomHexId, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

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

/** Generations whose tokens are recognised as reused. Older tokens are only unknown. */
const rememberedGenerations = 1000

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
  start(userId: UserId, now: number): IssuedRefresh
  /**
   * Exchanges a refresh token, and postpones the session's end. `ended` names a session that was ended because the
   * token was reused: its sockets must end too. Undefined for a token that is unknown or too old.
   */
  refresh(refreshToken: string, now: number): IssuedRefresh | { readonly ended: string } | undefined
  /** The user of a session that has not ended. */
  userOf(sessionId: string, now: number): UserId | undefined
  /** The session that a refresh token would renew. */
  idByToken(refreshToken: string, now: number): string | undefined
  /** Ends a session. Repeating it is harmless. */
  end(sessionId: string): void
  /** Ends all of a user's sessions and returns which. */
  endAll(userId: UserId): string[]
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
    (q, given: { id: string; userId: UserId; createdAt: number; expiresAt: number }) =>
      q.insertInto('sessions').values({
        id: given.id,
        user_id: given.userId,
        created_at: given.createdAt,
        expires_at: given.expiresAt,
        generation: sql.lit(0),
        rotated_at: given.createdAt,
        rotated_by: sql.lit(''),
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
    (q, given: { id: string; generation: number; now: number; by: string; expiresAt: number }) =>
      q
        .updateTable('sessions')
        .set({ generation: given.generation, rotated_at: given.now, rotated_by: given.by })
        .set({ expires_at: given.expiresAt })
        .where('id', '=', given.id),
  )
  const forgetTokens = prepareQuery(db, (q, given: { sessionId: string; before: number }) =>
    q
      .deleteFrom('refresh_tokens')
      .where('session_id', '=', given.sessionId)
      .where('generation', '<', given.before),
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

  const start = db.transaction((userId: UserId, now: number): IssuedRefresh => {
    const id = randomHexId()
    insert.run({ id, userId, createdAt: now, expiresAt: now + options.refreshTokenTtlMs })
    return issue(id, userId, 0)
  })

  const refresh = db.transaction((token: string, now: number): ReturnType<Sessions['refresh']> => {
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
        rotate.run({ id: sessionId, generation: next, now, by, expiresAt })
        forgetTokens.run({ sessionId, before: next - rememberedGenerations })
        return issue(sessionId, userId, next)
      }
      case 'reused':
        deleteOne.run({ id: sessionId })
        return { ended: sessionId }
    }
  })

  const endAll = db.transaction((userId: UserId): string[] => {
    const ids = selectOfUser.all({ userId }).map((session) => session.id)
    for (const id of ids) deleteOne.run({ id })
    return ids
  })

  return {
    start: (userId, now) => start.immediate(userId, now),
    refresh: (token, now) => refresh.immediate(token, now),
    userOf: (id, now) => selectLive.get({ id, now })?.userId,
    idByToken(token, now) {
      const found = find(token, now)
      return found === undefined || found.verdict === 'reused' ? undefined : found.sessionId
    },
    end: (id) => void deleteOne.run({ id }),
    endAll: (userId) => endAll.immediate(userId),
    removeExpired: (now) => void deleteExpired.run({ now }),
  }
}
