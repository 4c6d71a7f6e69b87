import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { rememberedMs } from './invites.ts'
import { prepareQuery } from './prepare-query.ts'

/** How many rows of each kind the accounts have. */
export interface PlatformCounts {
  readonly users: number
  readonly spaces: number
  /** Those that have not ended. */
  readonly sessions: number
  /** Those that are to be removed. */
  readonly expiredSessions: number
  /** Invites to spaces and to the server, and links to set a password, that are to be removed: some time after their end. */
  readonly expiredInvites: number
}

export function createPlatformCounts(db: Database): (now: number) => PlatformCounts {
  const select = prepareQuery(db, (q, given: { now: number; before: number }) =>
    q
      .selectFrom((eb) =>
        eb
          .selectFrom('sessions')
          .select((of) => [
            of.fn.countAll<number>().as('all'),
            sql<number>`count(*) filter (where expires_at <= ${given.now})`.as('expired'),
          ])
          .as('session'),
      )
      .select((eb) => [
        'session.all as sessions',
        'session.expired as expiredSessions',
        eb
          .selectFrom('users')
          .select((of) => of.fn.countAll<number>().as('count'))
          .as('users'),
        eb
          .selectFrom('spaces')
          .select((of) => of.fn.countAll<number>().as('count'))
          .as('spaces'),
        eb
          .selectFrom('invites')
          .select((of) => of.fn.countAll<number>().as('count'))
          .where('expires_at', '<', given.before)
          .as('invites'),
        eb
          .selectFrom('server_invites')
          .select((of) => of.fn.countAll<number>().as('count'))
          .where('expires_at', '<', given.before)
          .as('serverInvites'),
        eb
          .selectFrom('password_links')
          .select((of) => of.fn.countAll<number>().as('count'))
          .where('expires_at', '<', given.before)
          .as('passwordLinks'),
      ]),
  )
  return (now) => {
    const counted = select.get({ now, before: now - rememberedMs })
    if (counted === undefined) throw new Error('a count has a row')
    const { users, spaces, sessions, expiredSessions, invites, serverInvites, passwordLinks } = counted
    return {
      users: users ?? 0,
      spaces: spaces ?? 0,
      sessions: sessions - expiredSessions,
      expiredSessions,
      expiredInvites: (invites ?? 0) + (serverInvites ?? 0) + (passwordLinks ?? 0),
    }
  }
}
