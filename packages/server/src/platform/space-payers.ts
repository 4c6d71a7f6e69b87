import type { SpaceId, UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { SpacePayers } from '../ports/space-payers.ts'
import { prepareQuery } from './prepare-query.ts'
import { sqlRolesWith } from './roles-in-sql.ts'

export function createSpacePayers(db: Database): SpacePayers {
  const selectPayer = prepareQuery(db, (q, given: { spaceId: SpaceId }) =>
    q
      .selectFrom('members')
      .select('user_id as userId')
      .where('space_id', '=', given.spaceId)
      .where('role', 'in', sqlRolesWith('own'))
      .orderBy('joined_at')
      .orderBy('user_id')
      .limit(sql.lit(1)),
  )
  const selectPaid = prepareQuery(db, (q, given: { userId: UserId }) =>
    q
      .selectFrom('members as own')
      .select('own.space_id as spaceId')
      .where('own.user_id', '=', given.userId)
      .where('own.role', 'in', sqlRolesWith('own'))
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom('members as older')
              .select('older.user_id')
              .whereRef('older.space_id', '=', 'own.space_id')
              .where('older.role', 'in', sqlRolesWith('own'))
              .where(
                sql<boolean>`(older.joined_at, older.user_id) < (${sql.ref('own.joined_at')}, ${sql.ref('own.user_id')})`,
              ),
          ),
        ),
      ),
  )
  return {
    payerOf: (spaceId) => selectPayer.get({ spaceId })?.userId,
    paidBy: (userId) => selectPaid.all({ userId }).map(({ spaceId }) => spaceId),
  }
}
