import { adminRowsVisited, type ServerRole, type SpaceId, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { AuditedAction } from './audit.ts'
import type { SpaceEntry, UserEntry } from './directory.ts'
import { figuresOfSpace, figuresOfUser } from './figures.ts'
import { prepareQuery } from './prepare-query.ts'
import { sqlRolesWith } from './roles-in-sql.ts'

/** A row with its number in its table, which grows with every row that is added. */
type Numbered<Row> = Row & { readonly nr: number }

/** Which page of a list, the newest first. */
export interface PageAsked {
  /** The number after which the page begins; undefined for the first page. */
  readonly after?: number | undefined
  readonly limit: number
}

export interface AdminPageOf<Row> {
  readonly rows: readonly Row[]
  /** After which the list goes on. Absent at its end. */
  readonly next?: number
}

export interface AuditRow {
  readonly nr: number
  readonly at: number
  readonly actorId: UserId | null
  readonly action: AuditedAction
  readonly userId: UserId | null
  readonly spaceId: SpaceId | null
  readonly address: string | null
}

export interface ServerInviteRow {
  /** The hash of its token, which names it and admits nobody. */
  readonly id: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly usedAt: number | null
}

/**
 * Lists for the admin page. Each page visits `adminRowsVisited` rows at most, by their numbers, however many there are and
 * whatever is searched for: one that found less than its limit may have to go on.
 */
export interface AdminPages {
  roleOf(userId: UserId): ServerRole | undefined
  emailOf(userId: UserId): string | undefined
  spaceName(spaceId: SpaceId): string | undefined
  deviceOf(sessionId: string): string | undefined
  /** `search` is part of a name, an address or an id, whatever its case. Expired sessions do not count. */
  users(page: PageAsked & { readonly search: string }, now: number): AdminPageOf<Numbered<UserEntry>>
  /** The name and the address of an owner are searched too. */
  spaces(page: PageAsked & { readonly search: string }): AdminPageOf<Numbered<SpaceEntry>>
  /** Of an account: what it did and what was done to it. Without `of`, everything. */
  audit(
    page: PageAsked & { readonly action?: string | undefined },
    of?: { readonly userId: UserId } | { readonly spaceId: SpaceId },
  ): AdminPageOf<AuditRow>
  serverInvites(page: PageAsked): AdminPageOf<Numbered<ServerInviteRow>>
}

export function createAdminPages(db: Database): AdminPages {
  type Range = { before: number; from: number; limit: number }
  type Table = 'users' | 'spaces' | 'server_invites'
  const newestOf = (table: Table) =>
    prepareQuery(db, (q, _given: object) =>
      q.selectFrom(table).select(sql<number | null>`max(rowid)`.as('nr')),
    )
  const newest = {
    users: newestOf('users'),
    spaces: newestOf('spaces'),
    server_invites: newestOf('server_invites'),
    audit: prepareQuery(db, (q, _given: object) =>
      q.selectFrom('audit').select(sql<number | null>`max(nr)`.as('nr')),
    ),
  }
  const inRange = (nr: string, given: Range) =>
    sql<boolean>`${sql.ref(nr)} < ${given.before} and ${sql.ref(nr)} >= ${given.from}`

  const selectUsers = prepareQuery(db, (q, given: Range & { search: string; now: number }) =>
    q
      .selectFrom('users')
      .select([sql<number>`users.rowid`.as('nr'), 'id', 'email', 'name', 'role', 'created_at as createdAt'])
      .select((eb) => figuresOfUser(eb, given.now))
      .where(inRange('users.rowid', given))
      .where(sql<boolean>`instr(lower(email || ' ' || name || ' ' || id), lower(${given.search})) > 0`)
      .orderBy(sql`users.rowid`, 'desc')
      .limit(given.limit),
  )
  const selectSpaces = prepareQuery(db, (q, given: Range & { search: string }) =>
    q
      .selectFrom('spaces')
      .select([sql<number>`spaces.rowid`.as('nr'), 'id', 'name', 'created_at as createdAt'])
      .select(figuresOfSpace)
      .where(inRange('spaces.rowid', given))
      .where((eb) =>
        eb.or([
          sql<boolean>`instr(lower(spaces.name || ' ' || spaces.id), lower(${given.search})) > 0`,
          eb.exists(
            eb
              .selectFrom('members as own')
              .innerJoin('users', 'users.id', 'own.user_id')
              .select('users.id')
              .whereRef('own.space_id', '=', 'spaces.id')
              .where('own.role', 'in', sqlRolesWith('own'))
              .where(
                sql<boolean>`instr(lower(users.email || ' ' || users.name), lower(${given.search})) > 0`,
              ),
          ),
        ]),
      )
      .orderBy(sql`spaces.rowid`, 'desc')
      .limit(given.limit),
  )
  const selectInvites = prepareQuery(db, (q, given: Range) =>
    q
      .selectFrom('server_invites')
      .select([
        sql<number>`rowid`.as('nr'),
        'token_hash as id',
        'created_at as createdAt',
        'expires_at as expiresAt',
        'used_at as usedAt',
      ])
      .where(inRange('rowid', given))
      .orderBy(sql`rowid`, 'desc')
      .limit(given.limit),
  )
  const auditColumns = [
    'nr',
    'at',
    'actor_id as actorId',
    'action',
    'user_id as userId',
    'space_id as spaceId',
    'address',
  ] as const
  type AuditGiven = { before: number; limit: number; action: string }
  const isAction = ({ action }: Pick<AuditGiven, 'action'>) => sql<boolean>`${action} in ('', action)`
  const selectAudit = prepareQuery(db, (q, given: Range & AuditGiven) =>
    q
      .selectFrom('audit')
      .select(auditColumns)
      .where(inRange('nr', given))
      .where(isAction(given))
      .orderBy('nr', 'desc')
      .limit(given.limit),
  )
  // What one account did, and what was done to it or to one space, is found by an index. The plus keeps SQLite from walking
  // all entries by their numbers instead.
  const selectAuditOfUser = prepareQuery(db, (q, given: AuditGiven & { userId: UserId }) =>
    q
      .selectFrom('audit')
      .select(auditColumns)
      .where((eb) => eb.or([eb('user_id', '=', given.userId), eb('actor_id', '=', given.userId)]))
      .where(sql<boolean>`+nr < ${given.before}`)
      .where(isAction(given))
      .orderBy(sql`+nr`, 'desc')
      .limit(given.limit),
  )
  const selectAuditOfSpace = prepareQuery(db, (q, given: AuditGiven & { spaceId: SpaceId }) =>
    q
      .selectFrom('audit')
      .select(auditColumns)
      .where('space_id', '=', given.spaceId)
      .where('nr', '<', given.before)
      .where(isAction(given))
      .orderBy('nr', 'desc')
      .limit(given.limit),
  )
  const selectUser = prepareQuery(db, (q, given: { id: UserId }) =>
    q.selectFrom('users').select(['role', 'email']).where('id', '=', given.id),
  )
  const selectSpace = prepareQuery(db, (q, given: { id: SpaceId }) =>
    q.selectFrom('spaces').select('name').where('id', '=', given.id),
  )
  const selectSession = prepareQuery(db, (q, given: { id: string }) =>
    q.selectFrom('sessions').select('device').where('id', '=', given.id),
  )

  /** One more row than a page has says whether the list goes on behind it. */
  function pageOf<Row extends { readonly nr: number }>(
    table: keyof typeof newest,
    { after, limit }: PageAsked,
    select: (range: Range) => Row[],
  ): AdminPageOf<Row> {
    const before = after ?? (newest[table].get({})?.nr ?? 0) + 1
    const from = Math.max(0, before - adminRowsVisited)
    return cut(select({ before, from, limit: limit + 1 }), limit, from)
  }

  return {
    roleOf: (id) => selectUser.get({ id })?.role,
    emailOf: (id) => selectUser.get({ id })?.email,
    spaceName: (id) => selectSpace.get({ id })?.name,
    deviceOf: (id) => selectSession.get({ id })?.device,
    users: (page, now) =>
      pageOf('users', page, (range) =>
        selectUsers
          .all({ ...range, search: page.search.trim(), now })
          .map((row) => ({ ...row, sessions: row.sessions ?? 0, spaces: row.spaces ?? 0 })),
      ),
    spaces: (page) =>
      pageOf('spaces', page, (range) =>
        selectSpaces
          .all({ ...range, search: page.search.trim() })
          .map((row) => ({ ...row, members: row.members ?? 0 })),
      ),
    audit(page, of) {
      const { action = '', limit } = page
      if (of === undefined) return pageOf('audit', page, (range) => selectAudit.all({ ...range, action }))
      const given = { action, before: page.after ?? Number.MAX_SAFE_INTEGER, limit: limit + 1 }
      const rows =
        'userId' in of
          ? selectAuditOfUser.all({ ...given, userId: of.userId })
          : selectAuditOfSpace.all({ ...given, spaceId: of.spaceId })
      return cut(rows, limit, 0)
    },
    serverInvites: (page) => pageOf('server_invites', page, (range) => selectInvites.all(range)),
  }
}

/** A page of rows of which one more than its limit was asked for, from those with numbers of at least `from`. */
function cut<Row extends { readonly nr: number }>(
  found: Row[],
  limit: number,
  from: number,
): AdminPageOf<Row> {
  const rows = found.slice(0, limit)
  const last = rows.at(-1)
  if (found.length > limit && last !== undefined) return { rows, next: last.nr }
  return from > 1 ? { rows, next: from } : { rows }
}
