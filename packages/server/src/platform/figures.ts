import { type ExpressionBuilder, sql } from 'kysely'

import type { PlatformTables } from './platform-database.ts'
import { sqlRolesWith } from './roles-in-sql.ts'

/** Columns of a list of accounts that are counted: of sessions, those that have not ended at `now`. */
export const figuresOfUser = (eb: ExpressionBuilder<PlatformTables, 'users'>, now: number) =>
  [
    eb
      .selectFrom('sessions')
      .select((of) => of.fn.countAll<number>().as('count'))
      .whereRef('sessions.user_id', '=', 'users.id')
      .where('expires_at', '>', now)
      .as('sessions'),
    eb
      .selectFrom('sessions')
      .select((of) => of.fn.max('rotated_at').as('newest'))
      .whereRef('sessions.user_id', '=', 'users.id')
      .as('lastUsedAt'),
    eb
      .selectFrom('members')
      .select((of) => of.fn.countAll<number>().as('count'))
      .whereRef('members.user_id', '=', 'users.id')
      .as('spaces'),
  ] as const

/** Those of a list of spaces: how many members, and the address of the longest-standing owner. */
export const figuresOfSpace = (eb: ExpressionBuilder<PlatformTables, 'spaces'>) =>
  [
    eb
      .selectFrom('members')
      .select((of) => of.fn.countAll<number>().as('count'))
      .whereRef('members.space_id', '=', 'spaces.id')
      .as('members'),
    eb
      .selectFrom('members as own')
      .innerJoin('users', 'users.id', 'own.user_id')
      .select('users.email')
      .whereRef('own.space_id', '=', 'spaces.id')
      .where('own.role', 'in', sqlRolesWith('own'))
      .orderBy('own.joined_at')
      .orderBy('own.user_id')
      .limit(sql.lit(1))
      .as('owner'),
  ] as const
