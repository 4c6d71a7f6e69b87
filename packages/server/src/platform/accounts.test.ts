import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { randomHexId, spaceIdSchema, userIdSchema, type SpaceId, type UserId } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { compiler } from '../sqlite/compiler.ts'
import { createAddressNotes } from './address-notes.ts'
import { openPlatformDatabase } from './platform-database.ts'
import { platformMigrations } from './platform-migrations.ts'
import { openPlatform, type Platform } from './platform.ts'

let dataDir: string
let platform: Platform
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-accounts-'))
  platform = openPlatform({ dataDir, refreshTokenTtlMs: 100_000 })
})
afterEach(() => {
  platform.close()
  rmSync(dataDir, { recursive: true, force: true })
})

let now = 1
function user(name: string): UserId {
  const id = userIdSchema.parse(randomHexId())
  platform.users.add(
    { id, name, email: `${name.toLowerCase()}@example.org`, passwordHash: `hash of ${name}` },
    ++now,
  )
  return id
}

function space(name: string, owner: UserId, ...editors: UserId[]): SpaceId {
  const id = spaceIdSchema.parse(randomHexId())
  platform.spaceRecords.add({ id, name }, owner, ++now)
  for (const editor of editors) platform.members.add(id, editor, 'editor', ++now)
  return id
}

/** Whether any file of the data directory contains the text, free pages included. */
function isOnDisk(text: string): boolean {
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((it) => it.isFile())
  return files.some(({ parentPath, name }) => readFileSync(join(parentPath, name)).includes(text))
}

describe('deleting an account', () => {
  it('erases name, address, sessions, memberships and invites, and nothing of other users', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const shared = space('Shared', ben, anna)
    platform.members.changeRole(shared, anna, 'owner', ++now)
    const invite = platform.invites.add({ spaceId: shared, role: 'editor', createdBy: anna }, ++now)
    const own = space('Own', anna)
    const session = platform.sessions.start(anna, ++now)
    const bens = platform.sessions.start(ben, now)
    expect(isOnDisk('anna@example.org')).toBe(true)

    const gone = platform.accounts.delete(anna, ++now)
    expect(gone).toEqual({ sessionIds: [session.sessionId], spaceIds: [own] })
    expect(platform.users.byId(anna)).toBeUndefined()
    expect(platform.sessions.refresh(session.refreshToken, now)).toBeUndefined()
    expect(platform.spaceRecords.exists(own)).toBe(false)
    // The file is still there: after a crash here, the next start removes it.
    expect(platform.spaceRecords.pendingDeletions()).toEqual([own])
    expect(platform.members.list(shared).map((member) => member.user.name)).toEqual(['Ben'])
    expect(() => platform.invites.accept(invite.token, ben, now)).toThrow('No such invite')
    expect(platform.sessions.userOf(bens.sessionId, now)).toBe(ben)
    for (const trace of ['anna@example.org', 'Anna', 'hash of Anna']) {
      expect(isOnDisk(trace), trace).toBe(false)
    }
    expect(isOnDisk('ben@example.org')).toBe(true)
  })

  it('says what has to be ended also when the disk fails once the account is deleted', () => {
    const anna = user('Anna')
    const own = space('Own', anna)
    const { sessionId } = platform.sessions.start(anna, ++now)
    const spy = vi.spyOn(Sqlite.prototype, 'pragma').mockImplementation((text) => {
      if (!text.startsWith('wal_checkpoint')) return 0
      throw new Sqlite.SqliteError('disk I/O error', 'SQLITE_IOERR_WRITE')
    })
    const gone = platform.accounts.delete(anna, ++now)
    spy.mockRestore()
    expect(gone).toEqual({ sessionIds: [sessionId], spaceIds: [own] })
    expect(platform.users.byId(anna)).toBeUndefined()
  })

  it('keeps a note of the address, which nobody can read or make without the signing secret', () => {
    const anna = user('Anna')
    platform.accounts.delete(anna, ++now)
    expect(platform.users.deletedWith('anna@example.org')).toEqual([anna])
    expect(platform.users.deletedWith('ben@example.org')).toEqual([])
    const noteOf = createAddressNotes('another secret, also 32 characters')
    expect(isOnDisk(createAddressNotes(platform.signingSecret)('anna@example.org'))).toBe(true)
    expect(isOnDisk(noteOf('anna@example.org'))).toBe(false)
    const hashes = ['base64', 'base64url', 'hex'] as const
    for (const encoding of hashes) {
      expect(isOnDisk(createHash('sha256').update('anna@example.org').digest(encoding)), encoding).toBe(false)
    }
  })

  it('changes nothing for the last owner of a space with other members, and names the space', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const [own, first, second] = [space('Own', anna), space('Trip', anna, ben), space('Band', anna, ben)]
    const { sessionId } = platform.sessions.start(anna, ++now)
    const before = platform.spaceRecords.listFor(anna)
    expect(() => platform.accounts.delete(anna, ++now)).toThrow(
      'You are the last owner of “Trip”, “Band”, and others are in them: make somebody else an owner, or delete them, first',
    )
    expect(platform.spaceRecords.listFor(anna)).toEqual(before)
    expect(platform.spaceRecords.pendingDeletions()).toEqual([])
    expect(platform.sessions.userOf(sessionId, now)).toBe(anna)

    platform.members.changeRole(first, ben, 'owner', ++now)
    platform.spaceRecords.remove(second, ++now)
    expect(platform.accounts.delete(anna, ++now).spaceIds).toEqual([own])
    expect(platform.members.roleOf(first, ben)).toBe('owner')
  })

  // Waiting for a lock each time would exceed the timeout of this test.
  it('does not wait for a reader of the database', { timeout: 10_000 }, () => {
    const people = Array.from({ length: 60 }, (_, index) => user(`Anna ${index}`))
    const reader = new Sqlite(join(dataDir, 'platform.sqlite'), { readonly: true })
    reader.exec('begin')
    expect(reader.prepare('select count(*) as n from users').get()).toEqual({ n: people.length })
    for (const person of people) platform.accounts.delete(person, ++now)
    reader.close()
    for (const person of people) expect(platform.users.byId(person)).toBeUndefined()
  })
})

describe('changing a password', () => {
  it('ends every session and starts one, unless the password was changed meanwhile', () => {
    const anna = user('Anna')
    const sessions = [platform.sessions.start(anna, ++now), platform.sessions.start(anna, now)]
    const changed = platform.accounts.changePassword(anna, { checked: 'hash of Anna', next: 'new' }, ++now)
    expect(new Set(changed.sessionIds)).toEqual(new Set(sessions.map(({ sessionId }) => sessionId)))
    expect(platform.sessions.refresh(changed.issued.refreshToken, now)).toMatchObject({ userId: anna })
    expect(() =>
      platform.accounts.changePassword(anna, { checked: 'hash of Anna', next: 'newer' }, ++now),
    ).toThrow('a moment ago')
    expect(platform.users.byEmail('anna@example.org')?.passwordHash).toBe('new')
    expect(platform.sessions.userOf(changed.issued.sessionId, now)).toBe(anna)
  })
})

describe('the platform database', () => {
  it('reports a write of another process once', () => {
    const anna = user('Anna')
    expect(platform.changedByOthers()).toBe(false)
    const other = new Sqlite(join(dataDir, 'platform.sqlite'))
    other.prepare('delete from sessions where user_id = ?').run(anna)
    other.prepare('update users set name = ?').run('Anne')
    other.close()
    expect(platform.changedByOthers()).toBe(true)
    expect(platform.changedByOthers()).toBe(false)
  })

  it('of version 2 keeps its spaces, members and invites', () => {
    const path = join(dataDir, 'older.sqlite')
    const older = new Sqlite(path)
    for (const version of [1, 2]) {
      for (const statement of platformMigrations[version]!(compiler)) older.exec(statement.compile().sql)
    }
    older.exec(`
      pragma user_version = 2;
      insert into users values ('u', 'a@example.org', 'A', 'x', 1);
      insert into spaces values ('s', 'Space', 'u', 1, 1);
      insert into members values ('s', 'u', 'owner', 1);
      insert into invites values ('h1', 's', 'editor', 'u', 604800005), ('h2', 's', 'viewer', 'u', 604800007);
    `)
    older.close()
    const { db } = openPlatformDatabase(path)
    expect(db.prepare('select * from spaces').all()).toEqual([
      {
        id: 's',
        name: 'Space',
        created_at: 1,
        has_log: 1,
        identity: 's',
        registration: null,
        asked_in: '',
        access_id: 's',
      },
    ])
    expect(db.prepare('select role, since from members').all()).toEqual([{ role: 'owner', since: 's' }])
    const invites = db.prepare<[], { id: string }>('select * from invites order by token_hash').all()
    expect(invites).toMatchObject([
      { token_hash: 'h1', created_at: 5, uses: 0 },
      { token_hash: 'h2', created_at: 7, uses: 0 },
    ])
    expect(new Set(invites.map(({ id }) => /^[0-9a-f]{32}$/.test(id) && id)).size).toBe(2)
    db.close()
  })
})
