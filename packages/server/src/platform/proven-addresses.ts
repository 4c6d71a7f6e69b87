import type { User, UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import { prepareQuery } from './prepare-query.ts'

/** Accounts whose owner has shown that they can read mail to their address. Anybody may sign up with any address. */
export interface ProvenAddresses {
  /** Whether the present address of the account is proven. */
  has(userId: UserId): boolean
  /** Notes that the address of the account is proven. Not a transaction of its own. */
  note(user: Pick<User, 'id' | 'email'>, now: number): void
}

export function createProvenAddresses(db: Database): ProvenAddresses {
  const select = prepareQuery(db, (q, given: { userId: UserId }) =>
    q
      .selectFrom('proven_addresses')
      .innerJoin('users', (join) =>
        join
          .onRef('users.id', '=', 'proven_addresses.user_id')
          .onRef('users.email', '=', 'proven_addresses.email'),
      )
      .select('users.id')
      .where('users.id', '=', given.userId),
  )
  const upsert = prepareQuery(db, (q, given: { id: UserId; email: string; now: number }) =>
    q
      .insertInto('proven_addresses')
      .values({ user_id: given.id, email: given.email, proven_at: given.now })
      .onConflict((conflict) =>
        conflict.column('user_id').doUpdateSet({ email: given.email, proven_at: given.now }),
      ),
  )
  return {
    has: (userId) => select.get({ userId }) !== undefined,
    note: ({ id, email }, now) => void upsert.run({ id, email, now }),
  }
}
