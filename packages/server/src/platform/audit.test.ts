import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { SpaceId, UserId } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { createHttpHarness, password } from '../testing/http-harness.ts'
import { auditKeptMs } from './audit.ts'
import { openPlatform } from './platform.ts'

const anna = 'a'.repeat(32) as UserId
const ben = 'b'.repeat(32) as UserId
const space = 'c'.repeat(32) as SpaceId

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-audit-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))
const open = () => openPlatform({ dataDir, synchronous: 'normal', refreshTokenTtlMs: 1000 })

describe('the audit table', () => {
  it('says what an account did and what was done to it, the newest first, for a year', () => {
    const platform = open()
    const { audit } = platform
    audit.note({ at: 1, actorId: anna, action: 'invite made', spaceId: space, address: '10.0.0.1' })
    audit.note({ at: 2, actorId: anna, action: 'removed', userId: ben, spaceId: space })
    audit.note({ at: 3, actorId: undefined, action: 'password reset', userId: ben })
    expect(audit.ofUser(ben, 9).map(({ at, actorId, action }) => [at, actorId, action])).toEqual([
      [3, undefined, 'password reset'],
      [2, anna, 'removed'],
    ])
    expect(audit.ofUser(anna, 1)).toMatchObject([{ at: 2 }])
    expect(audit.ofSpace(space, 9)).toMatchObject([{ at: 2 }, { at: 1, address: '10.0.0.1' }])
    platform.tidy(auditKeptMs + 3)
    expect([audit.ofUser(anna, 9), audit.ofUser(ben, 9)]).toMatchObject([[], [{ at: 3 }]])
    platform.close()
  })

  it('keeps a thousand entries of one account, and all of the others', () => {
    const platform = open()
    platform.audit.note({ at: 1, actorId: ben, action: 'left', userId: ben, spaceId: space })
    for (let at = 2; at < 1_200; at++)
      platform.audit.note({ at, actorId: anna, action: 'role changed', userId: ben })
    expect(platform.audit.ofUser(anna, 9_999)).toHaveLength(1_000)
    expect(platform.audit.ofUser(ben, 9_999).at(-1)).toMatchObject({ action: 'left' })
    platform.close()
  })

  it('has who deleted, removed, signed out and changed what over HTTP, and from where', async () => {
    await using harness = await createHttpHarness()
    const [owner, member] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const id = harness.space(owner, [[member, 'viewer']])
    const of = `/api/spaces/${id}`
    await owner.call('PATCH', `${of}/members/${member.user.id}`, { role: 'editor' })
    await owner.call('DELETE', `${of}/members/${member.user.id}`)
    // Refused, so not done.
    await member.call('DELETE', of)
    await owner.call('DELETE', of)
    const { audit } = harness.platform
    const about = { actorId: owner.user.id, spaceId: id, address: '127.0.0.1' }
    expect(audit.ofSpace(id, 9)).toMatchObject([
      { ...about, action: 'space deleted' },
      { ...about, action: 'removed', userId: member.user.id },
      { ...about, action: 'role changed', userId: member.user.id },
    ])
    await owner.call('POST', '/api/auth/logout', { everywhere: true })
    await member.call('POST', '/api/auth/delete-account', { password })
    expect(audit.ofUser(owner.user.id, 1)).toMatchObject([{ action: 'signed out everywhere' }])
    expect(audit.ofUser(member.user.id, 1)).toMatchObject([{ action: 'account deleted' }])
    const text = JSON.stringify([...audit.ofUser(owner.user.id, 99), ...audit.ofUser(member.user.id, 99)])
    expect(text).not.toMatch(/anna|ben|example/i)
  })
})

it('what strangers ask for pushes out nothing that others did', () => {
  const platform = open()
  const did = { action: 'name changed', actorId: anna, userId: anna, address: '::1' } as const
  platform.audit.note({ ...did, at: 1 })
  for (let at = 2; at <= 1_200; at++)
    platform.audit.note({
      at,
      actorId: undefined,
      action: 'link to set a password sent',
      userId: anna,
      address: '6.6.6.6',
    })
  platform.audit.note({ at: 1_201, actorId: undefined, action: 'password reset', userId: anna })
  const entries = platform.audit.ofUser(anna, 2_000)
  expect(entries).toHaveLength(102)
  expect([entries[0]?.at, entries.at(-1)?.at]).toEqual([1_201, 1])
  platform.close()
})

describe('the role of an account', () => {
  const roles = () => {
    const db = new Sqlite(join(dataDir, 'platform.sqlite'), { readonly: true })
    const all = db
      .prepare<[], { id: string; role: string }>('select id, role from users order by created_at')
      .all()
    db.close()
    return all.map(({ id, role }) => [id[0], role])
  }

  it('is admin for the first one, and member for all others', () => {
    const platform = open()
    platform.users.add({ id: anna, email: 'a@example.org', name: 'A', passwordHash: 'x' }, 1)
    platform.users.add({ id: ben, email: 'b@example.org', name: 'B', passwordHash: 'x' }, 2)
    platform.close()
    expect(roles()).toEqual([
      ['a', 'admin'],
      ['b', 'member'],
    ])
  })

  it('is admin for the oldest one of an earlier version', () => {
    const platform = open()
    for (const [id, at] of [
      [ben, 2],
      [anna, 1],
    ] as const)
      platform.users.add({ id, email: `${id}@example.org`, name: 'A', passwordHash: 'x' }, at)
    platform.close()
    const db = new Sqlite(join(dataDir, 'platform.sqlite'))
    db.exec(`
      alter table sessions drop column device; drop table password_links; drop table registration;
      drop table proven_addresses; drop table identities; drop table address_changes;
      drop table left_addresses; drop table passkeys; drop table ended_identities;
      drop table audit; alter table users drop column role; pragma user_version = 8;
    `)
    db.close()
    open().close()
    expect(roles()).toEqual([
      ['a', 'admin'],
      ['b', 'member'],
    ])
  })
})
