import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { adminRowsVisited, maxAdminEntries, spaceIdSchema, userIdSchema } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { type AdminPageOf, type AdminPages, createAdminPages } from './admin-pages.ts'
import { openPlatformDatabase } from './platform-database.ts'

const many = 10_000
const hex = (number: number): string => number.toString(16).padStart(32, '0')
const limit = maxAdminEntries

describe('A page of the admin page', () => {
  let dataDir: string
  let db: Database
  let close: () => void
  let pages: AdminPages
  /** Every statement that the pages have prepared. */
  const statements: string[] = []

  beforeAll(() => {
    dataDir = mkdtempSync(join(tmpdir(), 't69-admin-pages-'))
    const opened = openPlatformDatabase(join(dataDir, 'platform.sqlite'), 'normal')
    db = opened.db
    close = () => opened.files.close()
    db.exec(`
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${many})
      insert into users (id, email, name, password_hash, created_at, role)
        select printf('%032x', i), printf('person%d@example.org', i), printf('Person %d', i), '', i, 'member' from n;
      insert into spaces (id, name, created_at, has_log, identity, access_id, asked_in)
        select id, 'Space of ' || name, created_at, 0, id, id, '' from users;
      insert into members (space_id, user_id, role, joined_at, since) select id, id, 'owner', created_at, id from users;
      insert into sessions (id, user_id, created_at, expires_at, generation, rotated_at, rotated_by, device)
        select id, id, 0, 1000000, 0, created_at, '', 'Firefox' from users;
      insert into audit (at, actor_id, action, user_id, space_id, address)
        select created_at, id, 'account created', id, null, '::1' from users;
      insert into server_invites (token_hash, created_at, expires_at, used_at) select id, created_at, 9, null from users;
    `)
    const recording = new Proxy(db, {
      get(target, name) {
        if (name === 'prepare') {
          return (text: string) => {
            statements.push(text)
            return target.prepare(text)
          }
        }
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    pages = createAdminPages(recording)
  })
  afterAll(() => {
    close()
    rmSync(dataDir, { recursive: true })
  })

  /** All rows of a list, page by page, and how many pages it took. */
  function all<Row>(read: (after: number | undefined) => AdminPageOf<Row>) {
    const rows: Row[] = []
    let asked = 0
    for (let after: number | undefined; ; asked++) {
      const page = read(after)
      rows.push(...page.rows)
      if (page.next === undefined) return { rows, asked: asked + 1 }
      after = page.next
    }
  }

  it('has 50 of 10,000 accounts, the newest first, with what each has', () => {
    const { rows, next } = pages.users({ search: '', limit }, 0)
    expect(rows).toHaveLength(50)
    expect(rows[0]).toEqual({
      nr: many,
      id: hex(many),
      email: 'person10000@example.org',
      name: 'Person 10000',
      role: 'member',
      createdAt: many,
      sessions: 1,
      lastUsedAt: many,
      spaces: 1,
    })
    expect(next).toBe(rows.at(-1)?.nr)
    const found = all((after) => pages.users({ search: '', limit, after }, 0))
    expect(found.rows.map(({ id }) => id)).toEqual(Array.from({ length: many }, (_, i) => hex(many - i)))
    expect(found.asked).toBe(many / limit)
  })

  it('finds one of 10,000 accounts or spaces by a part of its name, address, id or owner, in a bounded number of pages', () => {
    const oldest = { search: 'PERSON1@', limit }
    const users = all((after) => pages.users({ ...oldest, after }, 0))
    expect(users.rows.map(({ email }) => email)).toEqual(['person1@example.org'])
    expect(users.asked).toBe(many / adminRowsVisited)
    for (const search of ['space of person 9999', 'person9999@', hex(9_999)]) {
      const spaces = all((after) => pages.spaces({ search, limit, after }))
      expect(spaces.rows).toEqual([
        expect.objectContaining({ id: hex(9_999), owner: 'person9999@example.org', members: 1 }),
      ])
      expect(spaces.asked).toBe(many / adminRowsVisited)
    }
    expect(all((after) => pages.users({ search: 'nobody%_', limit, after }, 0)).rows).toEqual([])
  })

  it('has what was done: everything, of one account, of one space, and of one action', () => {
    const spaceId = spaceIdSchema.parse(hex(7))
    db.exec(`insert into audit (at, actor_id, action, user_id, space_id, address) values
      (1, '${hex(1)}', 'removed', '${hex(2)}', '${spaceId}', '::1'), (2, null, 'space exported', null, '${spaceId}', null)`)
    const actionsOf = (page: AdminPageOf<{ readonly action: string }>) =>
      page.rows.map(({ action }) => action)
    expect(actionsOf(pages.audit({ limit: 3 }))).toEqual(['space exported', 'removed', 'account created'])
    expect(actionsOf(pages.audit({ limit }, { spaceId }))).toEqual(['space exported', 'removed'])
    for (const id of [1, 2]) {
      expect(actionsOf(pages.audit({ limit }, { userId: userIdSchema.parse(hex(id)) }))).toEqual([
        'removed',
        'account created',
      ])
    }
    const first = pages.audit({ limit: 1 }, { spaceId })
    expect(first.next).toBe(first.rows[0]?.nr)
    expect(actionsOf(pages.audit({ limit: 1, after: first.next }, { spaceId }))).toEqual(['removed'])
    expect(all((after) => pages.audit({ limit, after, action: 'removed' }))).toMatchObject({
      rows: [{ action: 'removed', actorId: hex(1) }],
      asked: 3,
    })
  })

  it('visits rows by their numbers or by an index, and sorts no list as a whole', () => {
    pages.serverInvites({ limit })
    const planOf = (text: string): string[] => {
      const named = Object.fromEntries([...text.matchAll(/@(\w+)/g)].map(([, name]) => [name, 0]))
      return db
        .prepare<[object], { detail: string }>(`explain query plan ${text}`)
        .all(named)
        .map(({ detail }) => detail)
    }
    const lists = statements.filter((text) => text.includes('limit') && !text.includes('max('))
    const plans = statements.map((text) => [text, planOf(text)] as const)
    expect(lists.length).toBeGreaterThan(3)
    for (const [text, plan] of plans) {
      // The newest number is at the end of the table.
      if (/^select max\((?:rowid|nr)\) as "nr" from "\w+"$/.test(text)) continue
      expect(
        plan.filter((step) => step.startsWith('SCAN')),
        text,
      ).toEqual([])
    }
    const sorted = plans.filter(([, plan]) => plan.some((step) => step === 'USE TEMP B-TREE FOR ORDER BY'))
    // What one account did, and what was done to it: two lists of an index each. And the owners of one space.
    for (const [text] of sorted) expect(text).toMatch(/"actor_id" = @userId|"own"/)
  })
})
