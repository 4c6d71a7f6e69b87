import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { type Epoch, type SpaceId, SyncError, type TreeOperation } from '@t69/protocol'
import Database from 'better-sqlite3'
import { afterEach, describe, expect, it } from 'vitest'

import { DisplacedFileError } from '../sqlite/database-files.ts'
import { StorageFailure } from '../sqlite/storage-failure.ts'
import { moveOp, newEpoch, opsFrom, otherSpaceId, setOp, spaceId, treeId } from '../testing/ops.ts'
import { spaceQueries } from './space-queries.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

/** `now`, as it appears in the names of files that are set aside. */
const madeAt = '1970-01-01T00-00-00.123Z'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function setUp() {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-'))
  folders.push(dataDir)
  const warnings: object[] = []
  const known = new Set<SpaceId>()
  const options = { now: () => 123, known, warn: (details: object) => void warnings.push(details) }
  const opLogs = createSqliteOpLogs({ dataDir, ...options })
  const path = join(dataDir, 'a1', `${spaceId}.db`)
  /** Opens the log as one start of a server, commits, and closes it. */
  const commit = (epoch: Epoch, ops: readonly TreeOperation[]) => {
    const log = opLogs.open(spaceId, epoch)
    log.append(ops)
    const position = { logId: log.logId, epoch: log.epoch, cursor: log.head }
    log.close()
    return position
  }
  const holds = (position: ReturnType<typeof commit>) => {
    const log = opLogs.open(spaceId, newEpoch())
    const held = log.holds(position)
    log.close()
    return held
  }
  return { dataDir, options, opLogs, path, commit, holds, warnings }
}

function failureOf(run: () => unknown): { code: string; cause: unknown } {
  try {
    run()
  } catch (error) {
    if (error instanceof SyncError) return { code: error.code, cause: error.cause }
    throw error
  }
  throw new Error('it did not fail')
}

describe('the file of a space', () => {
  it('is in a folder named for its first two characters, with no other file beside it once closed', () => {
    const { dataDir, path, commit } = setUp()
    commit(newEpoch(), opsFrom(1, 2))
    expect(readdirSync(dataDir)).toEqual(['a1'])
    expect(readdirSync(dirname(path))).toEqual([`${spaceId}.db`])
  })

  it('has the columns of localdb.ts, NULL for a removed value, and the text null for null', () => {
    const { path, commit } = setUp()
    commit(newEpoch(), [
      moveOp(1, null, { target: treeId }),
      setOp(2, undefined),
      setOp(3, null),
      setOp(4, ['x']),
    ])
    const db = new Database(path, { readonly: true })
    const rows = db.prepare('SELECT * FROM tree_ops ORDER BY seq').all()
    const base = { peerId: '1', treeId, spaceId, parentId: null }
    expect(rows).toEqual([
      { seq: 1, clock: 1, ...base, targetId: treeId, key: null, value: null },
      { seq: 2, clock: 2, ...base, targetId: 'vertex', key: 'name', value: null },
      { seq: 3, clock: 3, ...base, targetId: 'vertex', key: 'name', value: 'null' },
      { seq: 4, clock: 4, ...base, targetId: 'vertex', key: 'name', value: '["x"]' },
    ])
    expect(db.prepare('SELECT id, created_at FROM spaces').all()).toEqual([{ id: spaceId, created_at: 123 }])
    expect(db.pragma('user_version', { simple: true })).toBe(2)
    db.close()
  })

  it('is migrated from an earlier version, and finds earlier deletions', () => {
    const { opLogs, path, commit } = setUp()
    commit(newEpoch(), [moveOp(1, treeId), moveOp(2, '0')])
    const db = new Database(path)
    db.exec('DROP INDEX tree_ops_deletes; PRAGMA user_version = 1')
    db.close()
    const log = opLogs.open(spaceId, newEpoch())
    expect(log.wasDeleted(moveOp(3, treeId))).toBe(true)
    expect(log.head).toBe(2)
    log.close()
  })

  it('finds deletions by an index, however long the log is', () => {
    const { path, commit } = setUp()
    commit(newEpoch(), opsFrom(1, 1))
    const db = new Database(path)
    const { source } = spaceQueries.deleteOf(db)
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${source}`).all({ treeId, targetId: 'vertex' })
    expect(JSON.stringify(plan)).toContain('INDEX tree_ops_deletes (treeId=? AND targetId=?)')
    db.close()
  })

  it('keeps its positions through VACUUM', () => {
    const { opLogs, path, commit } = setUp()
    commit(newEpoch(), opsFrom(1, 50))
    const db = new Database(path)
    db.exec('VACUUM')
    db.close()
    const log = opLogs.open(spaceId, newEpoch())
    expect(log.head).toBe(50)
    expect(log.read(20, { maxOps: 1, maxBytes: 1_000 })).toEqual(opsFrom(21, 1))
    log.close()
  })

  it('reads a tree and its newest clock by an index, and a page by position', () => {
    const { path, commit } = setUp()
    commit(newEpoch(), opsFrom(1, 3))
    const db = new Database(path, { readonly: true })
    const plan = (name: 'opsOfTree' | 'maxClock' | 'opsAfter') => {
      const { source } = spaceQueries[name](db)
      return JSON.stringify(db.prepare(`EXPLAIN QUERY PLAN ${source}`).all({ treeId, through: 3, after: 1 }))
    }
    expect(plan('opsOfTree')).toMatch(/SEARCH tree_ops USING INDEX \w+ \(treeId=\?\)/)
    expect(plan('maxClock')).toMatch(/SEARCH tree_ops USING COVERING INDEX \w+ \(treeId=\?\)/)
    expect(plan('opsAfter')).toContain('INTEGER PRIMARY KEY (rowid>?)')
    for (const name of ['opsOfTree', 'maxClock', 'opsAfter'] as const)
      expect(plan(name)).not.toContain('TEMP B-TREE')
    db.close()
  })

  it('can be read by another program while the server writes', () => {
    const { opLogs, path } = setUp()
    const log = opLogs.open(spaceId, newEpoch())
    log.append(opsFrom(1, 2))
    const reader = new Database(path, { readonly: true })
    const count = reader.prepare('SELECT count(*) AS n FROM tree_ops')
    expect(count.get()).toEqual({ n: 2 })
    log.append(opsFrom(3, 1))
    expect(count.get()).toEqual({ n: 3 })
    reader.close()
    log.close()
  })
})

describe('a backup that was restored', () => {
  it('[LC6] is distinguished from the log that continued after it', () => {
    const { path, commit, holds } = setUp()
    const [first, second, third] = [newEpoch(), newEpoch(), newEpoch()]
    const early = commit(first, opsFrom(1, 10))
    copyFileSync(path, `${path}.backup`)
    const lost = commit(second, opsFrom(11, 5))
    expect(holds(lost)).toBe(true)
    copyFileSync(`${path}.backup`, path)
    expect(holds(early)).toBe(true)
    expect(holds(lost)).toBe(false)
    // As many operations as before, but different ones.
    const anew = commit(third, opsFrom(11, 5, { peer: '2' }))
    expect(anew.cursor).toBe(lost.cursor)
    expect(anew.logId).toBe(lost.logId)
    expect(holds(lost)).toBe(false)
    expect(holds({ ...lost, cursor: 12 })).toBe(false)
    expect(holds(anew)).toBe(true)
    expect(holds(early)).toBe(true)
  })

  it('[LC6] is distinguished even if it was copied while the server ran', () => {
    const { opLogs, path, commit, holds } = setUp()
    const epoch = newEpoch()
    const log = opLogs.open(spaceId, epoch)
    log.append(opsFrom(1, 10))
    const db = new Database(path)
    db.exec(`VACUUM INTO '${path}.backup'`)
    db.close()
    log.append(opsFrom(11, 5))
    const lost = { logId: log.logId, epoch, cursor: log.head }
    log.close()
    copyFileSync(`${path}.backup`, path)
    expect(holds(lost)).toBe(false)
    commit(newEpoch(), opsFrom(11, 9, { peer: '2' }))
    expect(holds(lost)).toBe(false)
    expect(holds({ ...lost, cursor: 10 })).toBe(true)
  })

  it('[LC3] has another log id if the file was lost and created again', () => {
    const { path, commit, holds } = setUp()
    const lost = commit(newEpoch(), opsFrom(1, 10))
    rmSync(path)
    const anew = commit(newEpoch(), opsFrom(1, 10))
    expect(anew.logId).not.toBe(lost.logId)
    expect(holds(lost)).toBe(false)
  })
})

describe('a file that cannot be used', () => {
  it('is refused and not changed when a newer program wrote it, and the log names file and versions', () => {
    const { opLogs, path, commit } = setUp()
    commit(newEpoch(), opsFrom(1, 1))
    const db = new Database(path)
    db.pragma('user_version = 7')
    db.close()
    const before = readFileSync(path)
    const { code, cause } = failureOf(() => opLogs.open(spaceId, newEpoch()))
    expect(code).toBe('storage_failed')
    expect(cause).toBeInstanceOf(StorageFailure)
    expect(String(cause)).toContain(path)
    expect(String(cause)).toContain('version 7')
    expect(readFileSync(path)).toEqual(before)
  })

  it('is refused when it belongs to another space', () => {
    const { dataDir, options, opLogs, path, commit } = setUp()
    commit(newEpoch(), opsFrom(1, 1))
    options.known.add(otherSpaceId)
    const copy = join(dataDir, otherSpaceId.slice(0, 2), `${otherSpaceId}.db`)
    mkdirSync(dirname(copy))
    copyFileSync(path, copy)
    const { code, cause } = failureOf(() => opLogs.open(otherSpaceId, newEpoch()))
    expect(code).toBe('storage_failed')
    expect(String(cause)).toContain('another space')
  })

  it('is a storage failure when its folder is a file', () => {
    const { dataDir, opLogs } = setUp()
    writeFileSync(join(dataDir, 'a1'), '')
    expect(failureOf(() => opLogs.open(spaceId, newEpoch())).code).toBe('storage_failed')
  })

  it('fails without a change while another program writes to it, and works afterwards', () => {
    const { opLogs, path } = setUp()
    const log = opLogs.open(spaceId, newEpoch())
    log.append(opsFrom(1, 1))
    const other = new Database(path)
    other.exec('BEGIN IMMEDIATE')
    expect(failureOf(() => log.append(opsFrom(2, 1))).code).toBe('storage_failed')
    expect(log.head).toBe(1)
    other.exec('ROLLBACK')
    other.close()
    expect(log.append(opsFrom(2, 1))).toEqual({ after: 1, cursor: 2 })
    log.close()
  })
})

describe('a file that was there before its space', () => {
  it('does not go to the next user who registers its id: it is set aside, and the space begins a new log', () => {
    const { options, opLogs, path, commit, warnings } = setUp()
    commit(newEpoch(), opsFrom(1, 20))
    // The restored accounts do not know the space.
    options.known.clear()
    const log = opLogs.open(spaceId, newEpoch())
    expect(log.head).toBe(0)
    log.append(opsFrom(1, 1))
    log.close()
    const [aside] = readdirSync(dirname(path)).filter((name) => name.includes('.unknown-'))
    expect(warnings).toEqual([{ spaceId, path, setAside: join(dirname(path), aside ?? '') }])
    const kept = new Database(join(dirname(path), aside ?? ''))
    expect(kept.prepare('SELECT count(*) FROM tree_ops').pluck().get()).toBe(20)
    kept.close()
    // From now on the file belongs to the space.
    const again = opLogs.open(spaceId, newEpoch())
    expect(again.head).toBe(1)
    again.close()
    opLogs.delete(spaceId)
    expect(readdirSync(dirname(path))).toEqual([])
  })
})

describe('a file that is damaged', () => {
  it.each<[string, (path: string) => void]>([
    ['holds no SQLite', (path) => writeFileSync(path, 'no database at all '.repeat(1_000))],
    ['is truncated', (path) => truncateSync(path, Math.floor(statSync(path).size / 2 / 4096) * 4096)],
    [
      'is overwritten in the middle',
      (path) => {
        const bytes = readFileSync(path)
        bytes.fill(0xff, 8192, bytes.length - 4096)
        writeFileSync(path, bytes)
      },
    ],
    [
      'has a value that is no JSON',
      (path) => {
        const db = new Database(path)
        db.exec("UPDATE tree_ops SET value = 'x' WHERE seq = 1000")
        db.close()
      },
    ],
  ])('is set aside unchanged when it turns out that it %s, and the space begins a new log', (_, harm) => {
    const { dataDir, opLogs, path, commit, warnings } = setUp()
    const before = commit(newEpoch(), opsFrom(1, 2_000))
    harm(path)
    const damaged = readFileSync(path)
    const use = () => {
      const log = opLogs.open(spaceId, newEpoch())
      try {
        expect(log.read(0, { maxOps: 10_000, maxBytes: 10_000_000 })).toEqual([])
        return log.logId
      } finally {
        log.close()
      }
    }
    let logId: string | undefined
    try {
      logId = use()
    } catch (error) {
      // The damage shows only after the file is open, so the request fails and has to be repeated.
      if (!(error instanceof SyncError) || error.code !== 'storage_failed') throw error
      logId = use()
    }
    expect(logId).not.toBe(before.logId)
    const aside = `${path}.corrupt-${madeAt}`
    expect(readFileSync(aside)).toEqual(damaged)
    expect(warnings).toMatchObject([{ spaceId, path, setAside: aside }])
    const other = opLogs.open(otherSpaceId, newEpoch())
    expect(other.append(opsFrom(1, 1, { space: otherSpaceId }))).toEqual({ after: 0, cursor: 1 })
    other.close()
    opLogs.delete(spaceId)
    expect(readdirSync(join(dataDir, 'a1'))).toEqual([])
  })

  it('is not set aside a second time by one process: the disk itself may be failing', () => {
    const { opLogs, path, commit } = setUp()
    for (const attempt of [1, 2]) {
      commit(newEpoch(), opsFrom(1, 1))
      writeFileSync(path, `no database, for the ${attempt}. time `.repeat(1_000))
    }
    const { code, cause } = failureOf(() => opLogs.open(spaceId, newEpoch()))
    expect(code).toBe('storage_failed')
    expect(String(cause)).toContain('damaged again')
    expect(readFileSync(path, 'utf8')).toContain('for the 2. time')
  })
})

describe('a file that other programs change while it is open', () => {
  /** Twenty operations, with more bytes than the write-ahead log takes before a checkpoint. */
  const largeOps = (first: number) =>
    Array.from({ length: 20 }, (_, index) => setOp(first + index, 'x'.repeat(300_000)))

  function opened(count = 20) {
    const all = setUp()
    const { path, opLogs } = all
    const log = opLogs.open(spaceId, newEpoch())
    log.append(opsFrom(1, count))
    const copy = `${path}.copy`
    const shell = (run: (db: Database.Database) => void, file = path) => {
      const db = new Database(file)
      run(db)
      db.close()
    }
    const backUp = () => shell((db) => db.exec(`VACUUM INTO '${copy}'`))
    /** Reads everything from the file as it is now, through a newly opened log. */
    const contents = () => {
      const now = opLogs.open(spaceId, newEpoch())
      const { ops } = now.readTree(treeId)
      now.close()
      return ops
    }
    return { ...all, log, copy, shell, backUp, contents }
  }

  const displacements: [what: string, displace: (path: string, copy: string) => void, left: number][] = [
    ['replaced by another', (path, copy) => renameSync(copy, path), 20],
    ['removed', (path) => rmSync(path), 0],
    ['moved away', (path) => renameSync(path, `${path}.away`), 0],
    ['removed with its folder', (path) => rmSync(dirname(path), { recursive: true }), 0],
    ['removed and replaced by a copy', (path, copy) => (rmSync(path), copyFileSync(copy, path)), 20],
    // Its content is checkpointed when the database is closed.
    ['left without its write-ahead log', (path) => rmSync(`${path}-wal`), 25],
  ]
  it.each(displacements)(
    'refuses commits once it is %s, says so, and is opened again',
    (_, displace, left) => {
      const { log, path, copy, backUp, contents } = opened()
      backUp()
      expect(() => log.check()).not.toThrow()
      log.append(opsFrom(21, 5))
      displace(path, copy)
      const cause = new StorageFailure(path, new DisplacedFileError(''))
      for (const use of [() => log.check(), () => log.append(opsFrom(26, 1))]) {
        expect(failureOf(use)).toMatchObject({ code: 'storage_failed', cause: { path: cause.path } })
      }
      expect(log.head).toBe(25)
      log.close()
      expect(contents()).toEqual(opsFrom(1, left))
    },
  )

  it('is complete where it was moved to', () => {
    const { log, path, shell } = opened()
    renameSync(path, `${path}.away`)
    log.close()
    let count: unknown
    shell((db) => (count = db.prepare('SELECT count(*) FROM tree_ops').pluck().get()), `${path}.away`)
    expect(count).toBe(20)
  })

  it('keeps the write-ahead log that came with its replacement', () => {
    const { log, path, contents } = opened()
    const other = setUp()
    const source = other.opLogs.open(spaceId, newEpoch())
    source.append(opsFrom(1, 30))
    for (const suffix of ['', '-wal']) {
      copyFileSync(other.path + suffix, `${path}.copy${suffix}`)
      renameSync(`${path}.copy${suffix}`, path + suffix)
    }
    source.close()
    expect(() => log.check()).toThrow('storage')
    log.close()
    expect(contents()).toEqual(opsFrom(1, 30))
  })

  it('starts over when it was found damaged and an operator removes it', () => {
    const { opLogs, log: first, path, contents } = opened(2_000)
    first.close()
    const log = opLogs.open(spaceId, newEpoch())
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.fill(0xff, 4_096 * 10, bytes.length - 4_096 * 4))
    expect(() => log.readTree(treeId)).toThrow('storage')
    log.close()
    rmSync(path)
    expect(contents()).toEqual([])
  })

  it('is not mixed with a write-ahead log that could not be checkpointed', () => {
    const { log, path, copy, backUp, contents, warnings } = opened()
    backUp()
    log.append(largeOps(21))
    log.append(opsFrom(41, 5))
    copyFileSync(`${path}-wal`, `${path}.left-wal`)
    renameSync(copy, path)
    log.close()
    renameSync(`${path}.left-wal`, `${path}-wal`)
    expect(contents()).toEqual(opsFrom(1, 20))
    expect(warnings).toMatchObject([{ setAside: `${path}.stale-${madeAt}-wal` }])
  })

  it('refuses commits when a copy was written over it, and is examined before it is used again', () => {
    const { log, path, copy, backUp, shell, contents, warnings } = opened()
    backUp()
    // Damage that only an examination finds: the file opens, and its head is right.
    shell((db) => db.exec('DELETE FROM tree_ops WHERE seq = 7; PRAGMA journal_mode = delete'), copy)
    // Almost all of this is checkpointed, and only the last few operations stay in the write-ahead log.
    log.append(largeOps(21))
    log.append(opsFrom(41, 5))
    copyFileSync(copy, path)
    expect(() => log.append(opsFrom(46, 1))).toThrow('storage')
    log.close()
    expect(contents()).toEqual([])
    expect(warnings).toMatchObject([{ setAside: `${path}.corrupt-${madeAt}` }])
  })

  it('refuses commits when a copy was restored into it through SQLite', () => {
    const { log, shell, contents } = opened()
    shell((db) => db.exec('DELETE FROM tree_ops WHERE seq > 7'))
    expect(() => log.append(opsFrom(21, 1))).toThrow('storage')
    expect(log.head).toBe(20)
    log.close()
    expect(contents()).toEqual(opsFrom(1, 7))
  })

  // SQLite's default wait of five seconds would exceed the timeout of this test.
  it('does not wait long for another program that holds its lock', { timeout: 4_500 }, () => {
    const { log, path } = opened()
    const shell = new Database(path)
    shell.exec('BEGIN IMMEDIATE')
    expect(() => log.append(opsFrom(21, 1))).toThrow('storage')
    shell.close()
    expect(log.append(opsFrom(21, 1)).cursor).toBe(21)
    log.close()
  })

  it('can be read, copied and checked by other programs', () => {
    const { log, path, backUp, shell } = opened()
    backUp()
    shell((db) => db.pragma('integrity_check'))
    // Enough for a checkpoint by this process.
    log.append(largeOps(21))
    expect(statSync(path).size).toBeGreaterThan(5_000_000)
    shell((db) => db.pragma('integrity_check'))
    expect(() => log.check()).not.toThrow()
    expect(log.append(opsFrom(41, 5)).cursor).toBe(45)
    log.close()
  })
})

describe('a write-ahead log that a crash left', () => {
  /** A space as an early and a late crash would leave it: copies of database and write-ahead log. */
  function crashed() {
    const all = setUp()
    const { opLogs, path } = all
    let log = opLogs.open(spaceId, newEpoch())
    const checkpoint = () => {
      log.close()
      log = opLogs.open(spaceId, newEpoch())
    }
    const copy = (name: string) => {
      for (const suffix of ['', '-wal']) copyFileSync(path + suffix, `${path}.${name}${suffix}`)
    }
    log.append(opsFrom(1, 10))
    checkpoint()
    copy('early')
    log.append(opsFrom(11, 3_000))
    checkpoint()
    log.append(opsFrom(3_011, 500))
    copy('late')
    const { logId } = log
    log.close()
    const put = (from: string, suffix: string) => copyFileSync(`${path}.${from}${suffix}`, path + suffix)
    // Another process, since one trusts the files that it has opened itself.
    const reopened = createSqliteOpLogs({ dataDir: all.dataDir, ...all.options })
    return { ...all, opLogs: reopened, put, logId }
  }

  it('is replayed into its own database', () => {
    const { opLogs, put, logId, warnings } = crashed()
    put('late', '')
    put('late', '-wal')
    const log = opLogs.open(spaceId, newEpoch())
    expect(log).toMatchObject({ head: 3_510, logId })
    log.close()
    expect(warnings).toEqual([])
  })

  it('is set aside and not replayed when the database beside it was restored from an older copy', () => {
    const { opLogs, path, put, logId, warnings } = crashed()
    put('early', '')
    put('late', '-wal')
    const wal = readFileSync(`${path}-wal`)
    const log = opLogs.open(spaceId, newEpoch())
    expect(log).toMatchObject({ head: 10, logId })
    expect(log.append(opsFrom(11, 5))).toEqual({ after: 10, cursor: 15 })
    log.close()
    expect(readFileSync(`${path}.stale-${madeAt}-wal`)).toEqual(wal)
    expect(warnings).toMatchObject([{ spaceId, setAside: `${path}.stale-${madeAt}-wal` }])
  })

  it('is set aside together with its database when that is damaged', () => {
    const { opLogs, path, put, warnings } = crashed()
    put('late', '')
    put('late', '-wal')
    truncateSync(path, 40_960)
    const log = opLogs.open(spaceId, newEpoch())
    expect(log.head).toBe(0)
    log.close()
    const aside = `${path}.corrupt-${madeAt}`
    expect([existsSync(aside), existsSync(`${aside}-wal`)]).toEqual([true, true])
    expect(warnings).toMatchObject([{ setAside: aside }])
  })

  it('is set aside when its database is gone', () => {
    const { opLogs, path, put, warnings } = crashed()
    rmSync(path)
    put('late', '-wal')
    const wal = readFileSync(`${path}-wal`)
    opLogs.open(spaceId, newEpoch()).close()
    expect(readFileSync(`${path}.stale-${madeAt}-wal`)).toEqual(wal)
    expect(warnings).toMatchObject([{ path }, { setAside: `${path}.stale-${madeAt}-wal` }])
  })
})

it.each([
  ['missing', (path: string) => rmSync(path)],
  ['empty', (path: string) => truncateSync(path)],
])('distinguishes a file that is %s from a new space', (_, harm) => {
  const { opLogs, path, commit, warnings } = setUp()
  commit(newEpoch(), opsFrom(1, 1))
  expect(warnings).toEqual([])
  harm(path)
  const log = opLogs.open(spaceId, newEpoch())
  expect(log.head).toBe(0)
  log.close()
  expect(warnings).toMatchObject([{ spaceId, path }])
})

it('deletes every file of a space, including what a crash left', () => {
  const { opLogs, path, commit } = setUp()
  commit(newEpoch(), opsFrom(1, 1))
  for (const suffix of ['-wal', '-shm']) writeFileSync(path + suffix, '')
  opLogs.delete(spaceId)
  for (const suffix of ['', '-wal', '-shm']) expect(existsSync(path + suffix)).toBe(false)
  expect(opLogs.bytesOf('00000000000000000000000000000000' as SpaceId)).toBe(0)
})
