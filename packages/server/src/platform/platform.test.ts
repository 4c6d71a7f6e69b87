import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { hash } from '@node-rs/argon2'
import Sqlite from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { NewerSchemaError } from '../sqlite/migrate.ts'
import { cheapPasswords } from '../testing/http-harness.ts'
import { DataDirLockedError, lockDataDir } from './data-dir-lock.ts'
import { markEnd } from './end-mark.ts'
import { DamagedPlatformError, mendPlatform } from './mend-platform.ts'
import { createPasswords } from './passwords.ts'
import { openPlatformDatabase } from './platform-database.ts'
import { openPlatform, type Platform } from './platform.ts'
import { createRefreshTokens } from './refresh-tokens.ts'
import { judgeRefresh, refreshGraceMs } from './sessions.ts'
import { readOrMakeSigningSecret, SigningSecretError } from './signing-secret.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-platform-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

describe('the platform database', () => {
  it('has strict tables, a write-ahead log, and durable commits by default', () => {
    const { db } = openPlatformDatabase(join(dataDir, 'platform.sqlite'))
    const tables = db.prepare<[], { name: string; strict: number }>('pragma table_list').all()
    const own = tables.filter(({ name }) => !name.startsWith('sqlite_'))
    expect(own.map(({ name }) => name).toSorted()).toEqual([
      'access_ids',
      'accounts_history',
      'address_changes',
      'audit',
      'ended_identities',
      'identities',
      'invites',
      'left_addresses',
      'members',
      'non_members',
      'passkeys',
      'password_links',
      'proven_addresses',
      'refresh_tokens',
      'registration',
      'server_clock',
      'server_invites',
      'sessions',
      'space_deletions',
      'spaces',
      'user_deletions',
      'users',
    ])
    expect(own.every(({ strict }) => strict === 1)).toBe(true)
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(db.pragma('synchronous', { simple: true })).toBe(2)
    db.close()
  })

  // SQLite's default wait of five seconds would exceed the timeout of this test.
  it('does not wait long for another program that holds its lock', { timeout: 4_500 }, () => {
    const platform = openPlatform({ dataDir, refreshTokenTtlMs: 1000 })
    const shell = new Sqlite(join(dataDir, 'platform.sqlite'))
    shell.exec('BEGIN IMMEDIATE')
    expect(() => platform.checkWritable()).toThrow('locked')
    shell.close()
    platform.checkWritable()
    platform.close()
  })

  it('keeps its content when it is opened again', () => {
    const open = () => openPlatform({ dataDir, refreshTokenTtlMs: 1000 })
    const first = open()
    const user = { id: 'a'.repeat(32) as never, email: 'a@example.org', name: 'A' }
    first.users.add({ ...user, passwordHash: 'x' }, 1)
    const { refreshToken } = first.sessions.start(user.id, 1)
    first.close()
    const second = open()
    expect(second.users.byId(user.id)).toEqual(user)
    expect(second.sessions.refresh(refreshToken, 2)).toMatchObject({ userId: user.id })
    second.tidy(5000)
    expect(second.sessions.endAll(user.id)).toEqual([])
    second.close()
  })

  describe('the platform database beside a write-ahead log that a crash left', () => {
    const path = () => join(dataDir, 'platform.sqlite')
    const addUsers = (platform: Platform, first: number, count: number) => {
      for (let index = first; index < first + count; index++) {
        const id = `${index}`.padStart(32, '0') as never
        platform.users.add({ id, email: `${index}@example.org`, name: 'x'.repeat(200), passwordHash: 'x' }, 1)
      }
    }
    /** Copies of the database and its write-ahead log. */
    function crashed() {
      const open = () => openPlatform({ dataDir, synchronous: 'normal', refreshTokenTtlMs: 1000 })
      let platform = open()
      const copy = (name: string) => {
        for (const suffix of ['', '-wal']) copyFileSync(path() + suffix, `${path()}.${name}${suffix}`)
      }
      const put = (name: string, suffix: string) =>
        copyFileSync(`${path()}.${name}${suffix}`, path() + suffix)
      addUsers(platform, 0, 50)
      platform.close()
      platform = open()
      copy('early')
      addUsers(platform, 50, 400)
      platform.close()
      platform = open()
      addUsers(platform, 450, 20)
      copy('late')
      platform.close()
      return { open, put }
    }

    it('is complete when the two belong together', () => {
      const { open, put } = crashed()
      put('late', '')
      put('late', '-wal')
      const platform = open()
      expect(platform.setAside).toBeUndefined()
      expect(platform.users.byEmail('469@example.org')).toBeDefined()
      platform.close()
    })

    it('is the restored copy when they do not, and the log is set aside', () => {
      const { open, put } = crashed()
      put('early', '')
      put('late', '-wal')
      const wal = readFileSync(`${path()}-wal`)
      const platform = open()
      expect(readFileSync(platform.setAside ?? '')).toEqual(wal)
      expect(platform.users.byEmail('49@example.org')).toBeDefined()
      expect(platform.users.byEmail('469@example.org')).toBeUndefined()
      addUsers(platform, 50, 1)
      platform.close()
    })
  })

  it('keeps the change of an operator who deleted the sessions of an account by hand', () => {
    const open = () => openPlatform({ dataDir, refreshTokenTtlMs: 1000 })
    const first = open()
    const user = { id: 'a'.repeat(32) as never, email: 'a@example.org', name: 'A' }
    first.users.add({ ...user, passwordHash: 'x' }, 1)
    const { refreshToken } = first.sessions.start(user.id, 1)
    // The sqlite3 shell does not enforce foreign keys.
    const shell = new Sqlite(join(dataDir, 'platform.sqlite'))
    shell.exec('PRAGMA foreign_keys = OFF; DELETE FROM sessions')
    shell.close()
    first.close()
    const second = open()
    expect(second.sessions.refresh(refreshToken, 2)).toBeUndefined()
    second.close()
  })

  it('is refused and not changed when it is damaged in a page that is read late', () => {
    const path = join(dataDir, 'platform.sqlite')
    const platform = openPlatform({ dataDir, synchronous: 'normal', refreshTokenTtlMs: 1000 })
    for (let index = 0; index < 400; index++) {
      const id = `${index}`.padStart(32, '0') as never
      platform.users.add({ id, email: `${index}@example.org`, name: 'x'.repeat(200), passwordHash: 'x' }, 1)
    }
    platform.close()
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.fill(0xff, bytes.length - 4_096 * 8, bytes.length - 4_096 * 4))
    expect(() => openPlatform({ dataDir, refreshTokenTtlMs: 1000 })).toThrow(DamagedPlatformError)
    expect(readFileSync(path)).toEqual(bytes)
  })

  it('is read as a whole at a start only if it was not closed in order, or is another file since', () => {
    const path = join(dataDir, 'platform.sqlite')
    const mark = `${path}.closed`
    const open = () => openPlatform({ dataDir, synchronous: 'normal', refreshTokenTtlMs: 1000 })
    const platform = open()
    for (let index = 0; index < 400; index++) {
      const id = `${index}`.padStart(32, '0') as never
      platform.users.add({ id, email: `${index}@example.org`, name: 'x'.repeat(200), passwordHash: 'x' }, 1)
    }
    expect(existsSync(mark)).toBe(false)
    platform.close()
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.fill(0xff, bytes.length - 4_096 * 8, bytes.length - 4_096 * 4))
    expect(open).toThrow(DamagedPlatformError)
    // As if the disk had damaged it without a trace.
    markEnd(path)
    expect(mendPlatform(path, 1)).toBeUndefined()
    writeFileSync(`${path}-wal`, 'left by a crash')
    expect(() => mendPlatform(path, 1)).toThrow(DamagedPlatformError)
    rmSync(`${path}-wal`)
    copyFileSync(path, `${path}.restored`)
    renameSync(`${path}.restored`, path)
    expect(() => mendPlatform(path, 1)).toThrow(DamagedPlatformError)
  })

  it('is not marked as closed in order by a server that has lost the directory', () => {
    const path = join(dataDir, 'platform.sqlite')
    const first = openPlatform({ dataDir, refreshTokenTtlMs: 1000 })
    rmSync(join(dataDir, 'server.lock'))
    const taken = lockDataDir(dataDir, 0)
    first.close()
    expect(existsSync(`${path}.closed`)).toBe(false)
    taken.release()
  })

  it('is refused and not changed when a newer program wrote it', () => {
    const path = join(dataDir, 'platform.sqlite')
    const newer = new Sqlite(path)
    newer.pragma('user_version = 99')
    newer.close()
    const before = statSync(path).size
    expect(() => openPlatform({ dataDir, refreshTokenTtlMs: 1 })).toThrow(NewerSchemaError)
    expect(statSync(path).size).toBe(before)
    // The refused open has released the directory.
    lockDataDir(dataDir, 0).release()
  })
})

describe('the data directory', () => {
  it('is used by one server at a time', () => {
    const first = openPlatform({ dataDir, refreshTokenTtlMs: 1 })
    expect(() => lockDataDir(dataDir, 0)).toThrow(DataDirLockedError)
    first.close()
    lockDataDir(dataDir, 0).release()
  })

  it('is locked again when its lock file is removed, and lost to whoever was faster', () => {
    const path = join(dataDir, 'server.lock')
    const first = openPlatform({ dataDir, refreshTokenTtlMs: 1 })
    rmSync(path)
    first.checkPlace()
    expect(() => lockDataDir(dataDir, 0)).toThrow(DataDirLockedError)
    rmSync(path)
    const second = lockDataDir(dataDir, 0)
    expect(() => first.checkPlace()).toThrow(DataDirLockedError)
    second.release()
    first.checkPlace()
    first.close()
  })
})

describe('the signing secret', () => {
  it('is made once, and readable by its owner only', () => {
    const secret = readOrMakeSigningSecret(dataDir)
    expect(secret).toMatch(/^[0-9a-f]{64}$/)
    const path = join(dataDir, 'signing-secret')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8').trim()).toBe(secret)
    expect(existsSync(`${path}.new`)).toBe(false)
    expect(readOrMakeSigningSecret(dataDir)).toBe(secret)
  })

  it('is refused when its file is too short', () => {
    writeFileSync(join(dataDir, 'signing-secret'), 'short\n', { mode: 0o644 })
    expect(() => readOrMakeSigningSecret(dataDir)).toThrow(SigningSecretError)
  })
})

describe('a refresh token', () => {
  it('is valid in its own generation, for a moment in the next, and never after', () => {
    const generation = fc.nat(100)
    const elapsed = fc.nat(2 * refreshGraceMs)
    fc.assert(
      fc.property(generation, generation, elapsed, fc.boolean(), (token, current, since, isRepeated) => {
        fc.pre(token <= current)
        const session = { generation: current, rotatedAt: 1000, rotatedBy: 'this' }
        const hash = isRepeated && token === current - 1 ? 'this' : 'a sibling'
        const verdict = judgeRefresh({ generation: token, hash }, session, 1000 + since)
        expect(verdict === 'current').toBe(token === current)
        expect(verdict === 'grace').toBe(hash === 'this' && since <= refreshGraceMs)
      }),
    )
  })
})

describe('a session whose database was restored from a backup', () => {
  const userId = 'a'.repeat(32) as never
  const open = () => openPlatform({ dataDir, refreshTokenTtlMs: 100_000 })
  const path = () => join(dataDir, 'platform.sqlite')

  /** Refreshes a session, restores a copy from before that, and returns the tokens, oldest first. */
  function restored(): string[] {
    const first = open()
    first.users.add({ id: userId, email: 'a@example.org', name: 'A', passwordHash: 'x' }, 1)
    const tokens = [first.sessions.start(userId, 1).refreshToken]
    first.close()
    copyFileSync(path(), `${path()}.backup`)
    const second = open()
    for (let now = 2; now < 5; now++) {
      const issued = second.sessions.refresh(tokens.at(-1)!, now)
      if (issued === undefined || 'ended' in issued) throw new Error('it ended')
      tokens.push(issued.refreshToken)
    }
    second.close()
    copyFileSync(`${path()}.backup`, path())
    return tokens
  }

  it('continues with a token that the database has not seen yet, and detects older ones as reused', () => {
    const tokens = restored()
    const platform = open()
    expect(platform.sessions.idByToken(tokens.at(-1)!, 10)).toBeDefined()
    expect(platform.sessions.refresh(tokens.at(-1)!, 10)).toMatchObject({ userId })
    expect(platform.sessions.refresh(tokens[1]!, 60_000)).toHaveProperty('ended')
    expect(platform.sessions.refresh(tokens.at(-1)!, 10)).toBeUndefined()
    platform.close()
  })

  it('refuses a token that another secret signed, or that was changed', () => {
    const [, , , newest = ''] = restored()
    rmSync(join(dataDir, 'signing-secret'))
    const platform = open()
    expect(platform.sessions.refresh(newest, 10)).toBeUndefined()
    platform.close()
    const [sessionId, , random, signature] = newest.split('.')
    const other = createRefreshTokens(readOrMakeSigningSecret(dataDir))
    expect(other.read(other.issue({ sessionId: sessionId!, generation: 7 }))?.generation).toBe(7)
    for (const forged of [`${sessionId}.9.${random}.${signature}`, `${sessionId}.9.${random}.`, 'x', '']) {
      expect(other.read(forged)).toBeUndefined()
    }
  })
})

describe('a session that goes on for years', () => {
  const userId = 'a'.repeat(32) as never
  const path = () => join(dataDir, 'platform.sqlite')
  const rows = () => {
    const shell = new Sqlite(path(), { readonly: true })
    const counted = shell.prepare<[], { count: number }>('SELECT count(*) AS count FROM refresh_tokens').get()
    shell.close()
    return counted?.count
  }
  function started() {
    const platform = openPlatform({ dataDir, synchronous: 'normal', refreshTokenTtlMs: 1e9 })
    platform.users.add({ id: userId, email: 'a@example.org', name: 'A', passwordHash: 'x' }, 1)
    let { refreshToken } = platform.sessions.start(userId, 1)
    const renew = (now: number) => {
      const issued = platform.sessions.refresh(refreshToken, now)
      if (issued === undefined || 'ended' in issued) throw new Error('it ended')
      ;({ refreshToken } = issued)
    }
    return { platform, renew, token: () => refreshToken }
  }

  it('keeps the rows of two generations, and is ended by a token of any earlier one', () => {
    const { platform, renew, token } = started()
    const stolen = token()
    for (let now = 2; now < 1_100; now++) renew(now)
    expect(rows()).toBe(2)
    expect(platform.sessions.refresh(stolen, 2_000)).toHaveProperty('ended')
    expect(platform.sessions.refresh(token(), 2_000)).toBeUndefined()
    expect(rows()).toBe(0)
    platform.close()
  })

  it('loses the rows that an earlier version left, some at each refresh and at each tidying', () => {
    const { platform, renew } = started()
    const shell = new Sqlite(path())
    for (let now = 2; now < 12; now++) renew(now)
    const leaveRows = () =>
      shell.exec(`INSERT INTO refresh_tokens (token_hash, session_id, generation)
      WITH RECURSIVE old (nr) AS (VALUES (1) UNION ALL SELECT nr + 1 FROM old WHERE nr < 250)
      SELECT 'old ' || nr, id, 5 FROM old, sessions`)
    leaveRows()
    const left = [12, 13, 14].map((now) => {
      renew(now)
      return rows()
    })
    expect(left).toEqual([253 - 100, 154 - 100, 2])
    leaveRows()
    platform.tidy(15)
    expect(rows()).toBe(2)
    renew(16)
    shell.close()
    platform.close()
  })

  it('goes on after the secret was changed, with its last token and the one before', () => {
    const { platform, renew, token } = started()
    for (let now = 2; now < 5; now++) renew(now)
    const before = token()
    renew(5)
    platform.close()
    rmSync(join(dataDir, 'signing-secret'))
    const again = openPlatform({ dataDir, refreshTokenTtlMs: 1e9 })
    // The answer to the last refresh was lost.
    expect(again.sessions.refresh(before, 6)).toMatchObject({ userId })
    expect(again.sessions.refresh(token(), 6)).toMatchObject({ userId })
    again.close()
  })
})

describe('passwords', () => {
  it('match their own hash and no other', async () => {
    const passwords = createPasswords('strangers', cheapPasswords)
    const hash = await passwords.hash('correct horse')
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/)
    expect(await passwords.verify(hash, 'correct horse')).toEqual({ isOutdated: false })
    expect(await passwords.verify(hash, 'Correct horse')).toBeUndefined()
    expect(await passwords.verify(undefined, 'nobody has this password')).toBeUndefined()
  })

  it.each([
    ['é as one code point or as two', 'caf\u00e9 au lait', 'cafe\u0301 au lait'],
    ['letters and digits of full width', 'Ｐａｓｓ１２３４', 'Pass1234'],
    ['a ligature', 'e\ufb03cient', 'efficient'],
    ['a space that does not break', 'correct\u00a0horse', 'correct horse'],
    ['a space of full width', 'correct\u3000horse', 'correct horse'],
    ['a space that NFKC leaves alone', 'correct\u1680horse', 'correct horse'],
    ['Hangul as syllables or as letters', '비밀번호', '비밀번호'.normalize('NFD')],
  ])('match however a keyboard writes them: %s', async (_what, one, other) => {
    const passwords = createPasswords('strangers', cheapPasswords)
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      expect(await passwords.verify(await passwords.hash(first), second)).toEqual({ isOutdated: false })
    }
    // A hash from before there was a normal form, of what the same keyboard writes today.
    const raw = await hash(one, cheapPasswords)
    expect(await passwords.verify(raw, one)).toEqual({ isOutdated: one !== normal(one) })
  })

  it('match a hash of either form of é, made before passwords had a normal form', async () => {
    const passwords = createPasswords('strangers', cheapPasswords)
    const [one, two] = ['ﬁancée'.normalize('NFC'), 'ﬁancée'.normalize('NFD')]
    for (const [old, typed] of [
      [one, two],
      [two, one],
    ] as const) {
      expect(await passwords.verify(await hash(old, cheapPasswords), typed)).toEqual({ isOutdated: true })
      expect(await passwords.verify(await hash(old, cheapPasswords), 'fiance')).toBeUndefined()
    }
  })

  it('tell letter case, accents and trailing spaces apart', async () => {
    const passwords = createPasswords('strangers', cheapPasswords)
    const kept = await passwords.hash('Straße café ')
    for (const other of ['straße café ', 'Strasse café ', 'Straße cafe ', 'Straße café'])
      expect(await passwords.verify(kept, other), other).toBeUndefined()
  })

  it('are hashed at the cost that OWASP recommends', async () => {
    expect(await createPasswords('known').hash('x')).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  })

  it('refuse to queue without bound', async () => {
    const passwords = createPasswords('strangers', cheapPasswords)
    const all = await Promise.allSettled(Array.from({ length: 100 }, () => passwords.hash('x')))
    const refused = all.filter((result) => result.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    expect(refused[0]?.reason).toMatchObject({ code: 'unavailable', body: { retryAfterMs: 2000 } })
    expect(await passwords.hash('x')).toMatch(/^\$argon2id/)
  })
})

function normal(password: string): string {
  return password.replaceAll(/\p{Zs}/gu, ' ').normalize('NFKC')
}
