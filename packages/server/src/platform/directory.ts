import type { RoleName, ServerRole, SpaceId, UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { type RawBuilder, sql } from 'kysely'

import { figuresOfSpace, figuresOfUser } from './figures.ts'
import { prepareQuery } from './prepare-query.ts'

/** Times are Unix milliseconds. */
export interface UserEntry {
  readonly id: UserId
  readonly email: string
  readonly name: string
  readonly role: ServerRole
  readonly createdAt: number
  /** Sessions that have not ended. */
  readonly sessions: number
  /** When a session was renewed last; null without one. */
  readonly lastUsedAt: number | null
  readonly spaces: number
}

export interface SpaceEntry {
  readonly id: SpaceId
  readonly name: string
  readonly createdAt: number
  readonly members: number
  /** The address of its longest-standing owner; null if it has none with an account. */
  readonly owner: string | null
}

export interface SessionEntry {
  readonly id: string
  /** Empty if it is not known. */
  readonly device: string
  readonly createdAt: number
  readonly lastUsedAt: number
  readonly expiresAt: number
}

export interface Page {
  /** Part of a name, an address or an id, whatever its case; empty for all. */
  readonly search: string
  readonly limit: number
  readonly offset: number
}

/** Lists of accounts and spaces for whoever runs the server. */
export interface Directory {
  /** The oldest first. `total` counts all that match. */
  users(page: Page, now: number): { readonly total: number; readonly users: UserEntry[] }
  /** By id or address. */
  user(idOrEmail: string, now: number): UserEntry | undefined
  /** Those that have not ended, the last used first. */
  sessionsOf(userId: UserId, now: number): SessionEntry[]
  spacesOf(userId: UserId): { id: SpaceId; name: string; role: RoleName }[]
  spaces(page: Page): { readonly total: number; readonly spaces: SpaceEntry[] }
  space(id: string): SpaceEntry | undefined
  /** Returns false when the account has the role already. */
  setRole(userId: UserId, role: ServerRole): boolean
  /** Accounts with the role `admin`. */
  admins(): number
}

export function createDirectory(db: Database): Directory {
  type Found = { search: string; exact: string; now: number; limit: number; offset: number }
  const usersBy = (matches: (given: Found) => RawBuilder<boolean>) =>
    prepareQuery(db, (q, given: Found) =>
      q
        .selectFrom('users')
        .select(['id', 'email', 'name', 'role', 'created_at as createdAt'])
        .select((eb) => figuresOfUser(eb, given.now))
        .select(sql<number>`count(*) over ()`.as('total'))
        .where(matches(given))
        .orderBy('created_at')
        .orderBy('id')
        .limit(given.limit)
        .offset(given.offset),
    )
  const selectUsers = usersBy(
    ({ search }) => sql`instr(lower(email || ' ' || name || ' ' || id), lower(${search})) > 0`,
  )
  const selectUser = usersBy(({ exact }) => sql`(id = ${exact} or email = ${exact})`)
  const spacesBy = (matches: (given: Omit<Found, 'now'>) => RawBuilder<boolean>) =>
    prepareQuery(db, (q, given: Omit<Found, 'now'>) =>
      q
        .selectFrom('spaces')
        .select(['id', 'name', 'created_at as createdAt'])
        .select(figuresOfSpace)
        .select(sql<number>`count(*) over ()`.as('total'))
        .where(matches(given))
        .orderBy('created_at')
        .orderBy('id')
        .limit(given.limit)
        .offset(given.offset),
    )
  const selectSpaces = spacesBy(({ search }) => sql`instr(lower(name || ' ' || id), lower(${search})) > 0`)
  const selectSpace = spacesBy(({ exact }) => sql`id = ${exact}`)
  const selectSessions = prepareQuery(db, (q, given: { userId: UserId; now: number }) =>
    q
      .selectFrom('sessions')
      .select([
        'id',
        'device',
        'created_at as createdAt',
        'rotated_at as lastUsedAt',
        'expires_at as expiresAt',
      ])
      .where('user_id', '=', given.userId)
      .where('expires_at', '>', given.now)
      .orderBy('rotated_at', 'desc'),
  )
  const selectSpacesOf = prepareQuery(db, (q, given: { userId: UserId }) =>
    q
      .selectFrom('members')
      .innerJoin('spaces', 'spaces.id', 'members.space_id')
      .select(['spaces.id as id', 'spaces.name as name', 'members.role as role'])
      .where('members.user_id', '=', given.userId)
      .orderBy('members.joined_at'),
  )
  const updateRole = prepareQuery(db, (q, given: { userId: UserId; role: ServerRole }) =>
    q
      .updateTable('users')
      .set({ role: given.role })
      .where('id', '=', given.userId)
      .where('role', '!=', given.role),
  )
  const countAdmins = prepareQuery(db, (q, _given: object) =>
    q
      .selectFrom('users')
      .select((of) => of.fn.countAll<number>().as('count'))
      .where('role', '=', sql.lit('admin')),
  )
  const one = { search: '', limit: 1, offset: 0 }

  function userOf(row: ReturnType<typeof selectUsers.all>[number]): UserEntry {
    const { id, email, name, role, createdAt, sessions, lastUsedAt, spaces } = row
    return { id, email, name, role, createdAt, sessions: sessions ?? 0, lastUsedAt, spaces: spaces ?? 0 }
  }
  function spaceOf(row: ReturnType<typeof selectSpaces.all>[number]): SpaceEntry {
    const { id, name, createdAt, members, owner } = row
    return { id, name, createdAt, members: members ?? 0, owner }
  }

  return {
    users(page, now) {
      const rows = selectUsers.all({ ...page, exact: '', now })
      return { total: rows[0]?.total ?? 0, users: rows.map(userOf) }
    },
    user: (idOrEmail, now) => {
      const exact = idOrEmail.trim().toLowerCase()
      return exact === '' ? undefined : selectUser.all({ ...one, exact, now }).map(userOf)[0]
    },
    sessionsOf: (userId, now) => selectSessions.all({ userId, now }),
    spacesOf: (userId) => selectSpacesOf.all({ userId }),
    spaces(page) {
      const rows = selectSpaces.all({ ...page, exact: '' })
      return { total: rows[0]?.total ?? 0, spaces: rows.map(spaceOf) }
    },
    space: (id) => selectSpace.all({ ...one, exact: id }).map(spaceOf)[0],
    setRole: (userId, role) => updateRole.run({ userId, role }).changes > 0,
    admins: () => countAdmins.get({})?.count ?? 0,
  }
}
