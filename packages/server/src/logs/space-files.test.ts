import {
  chmodSync,
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

import {
  type AccessId,
  type Epoch,
  type SpaceId,
  type SpaceIdentity,
  SyncError,
  type TreeOperation,
} from '@t69/protocol'
import Database from 'better-sqlite3'
import { afterEach, describe, expect, it } from 'vitest'

import { DisplacedFileError } from '../sqlite/database-files.ts'
import { migrate } from '../sqlite/migrate.ts'
import { StorageFailure } from '../sqlite/storage-failure.ts'
import {
  anybody,
  appendTo,
  moveOp,
  newEpoch,
  opsFrom,
  otherSpaceId,
  setOp,
  spaceId,
  treeId,
} from '../testing/ops.ts'
import { rowByOp } from './op-row.ts'
import { spaceQueries } from './space-queries.ts'
import { spaceMigrations } from './space-schema.ts'
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
  const identities = new Map<SpaceId, SpaceIdentity>()
  const known = Object.assign(new Set<SpaceId>(), { identityOf: (id: SpaceId) => identities.get(id) })
  const options = { now: () => 123, known, warn: (details: object) => void warnings.push(details) }
  const opLogs = createSqliteOpLogs({ dataDir, ...options })
  const path = join(dataDir, 'a1', `${spaceId}.db`)
  /** Opens the log as one start of a server, commits, and closes it. */
  const commit = (epoch: Epoch, ops: readonly TreeOperation[]) => {
    const log = opLogs.open(spaceId, epoch)
    appendTo(log, ops)
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
  return { dataDir, options, opLogs, path, commit, holds, warnings, identities }
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
    const checksum: unknown = expect.any(Number)
    expect(rows).toEqual([
      { seq: 1, clock: 1, ...base, targetId: treeId, key: null, value: null, checksum },
      { seq: 2, clock: 2, ...base, targetId: 'vertex', key: 'name', value: null, checksum },
      { seq: 3, clock: 3, ...base, targetId: 'vertex', key: 'name', value: 'null', checksum },
      { seq: 4, clock: 4, ...base, targetId: 'vertex', key: 'name', value: '["x"]', checksum },
    ])
    expect(db.prepare('SELECT id, created_at FROM spaces').all()).toEqual([{ id: spaceId, created_at: 123 }])
    expect(db.pragma('user_version', { simple: true })).toBe(8)
    db.close()
  })

  /** A file as the program of an earlier version left it. */
  function writeOldFile(path: string, version: number, ops: readonly TreeOperation[]): void {
    mkdirSync(dirname(path), { recursive: true })
    const db = new Database(path)
    const known = Object.entries(spaceMigrations).filter(([number]) => Number(number) <= version)
    migrate(db, Object.fromEntries(known))
    db.exec(`INSERT INTO spaces (id, created_at, log_id) VALUES ('${spaceId}', 1, '${'1'.repeat(32)}')`)
    const insert = db.prepare(
      `INSERT INTO tree_ops (seq, clock, peerId, treeId, spaceId, targetId, parentId, key, value)
      VALUES (@seq, @clock, @peerId, @treeId, @spaceId, @targetId, @parentId, @key, @value)`,
    )
    for (const [index, op] of ops.entries()) insert.run({ seq: index + 1, ...rowByOp(op) })
    db.exec(`INSERT INTO epochs (epoch, after) VALUES ('${newEpoch()}', 0)`)
    db.close()
  }

  it('is migrated from the first version, and finds earlier deletions', () => {
    const { opLogs, path, options } = setUp()
    options.known.add(spaceId)
    writeOldFile(path, 1, [moveOp(1, treeId), moveOp(2, '0')])
    const log = opLogs.open(spaceId, newEpoch())
    expect(log.wasDeleted(moveOp(3, treeId))).toBe(true)
    expect(log.head).toBe(2)
    log.close()
  })

  it('[CO3] does not know who committed what an earlier version wrote, also once it is closed and opened', () => {
    const { opLogs, path, options, warnings } = setUp()
    options.known.add(spaceId)
    writeOldFile(path, 2, opsFrom(1, 3))
    const epoch = newEpoch()
    const log = opLogs.open(spaceId, epoch)
    expect(log.commits({ after: 0, cursor: 3 }, 9)).toEqual([{ after: 0, userId: null, at: 0 }])
    log.append([{ userId: anybody, ops: opsFrom(4, 2) }], 7_000)
    log.close()
    const again = opLogs.open(spaceId, epoch)
    expect(again.commits({ after: 1, cursor: 5 }, 9)).toEqual([
      { after: 1, userId: null, at: 0 },
      { after: 3, userId: anybody, at: 7_000 },
    ])
    again.close()
    expect(warnings).toEqual([])
  })

  it('says of a commit that it cannot read that nobody is known to have made it', () => {
    const { opLogs, path } = setUp()
    const epoch = newEpoch()
    const log = opLogs.open(spaceId, epoch)
    log.append([{ userId: anybody, ops: opsFrom(1, 1) }], 60_000)
    log.append([{ userId: anybody, ops: opsFrom(2, 1) }], 120_000)
    log.append([{ userId: anybody, ops: opsFrom(3, 1) }], 180_000)
    log.close()
    const db = new Database(path)
    db.exec(`UPDATE commits SET user = 'nobody!' WHERE after = 0; UPDATE commits SET at = -1 WHERE after = 1`)
    db.close()
    const again = opLogs.open(spaceId, epoch)
    expect(again.commits({ after: 0, cursor: 3 }, 9)).toEqual([
      { after: 0, userId: null, at: 0 },
      { after: 1, userId: null, at: 0 },
      { after: 2, userId: anybody, at: 180_000 },
    ])
    again.close()
  })

  it('is set aside when it says that somebody committed more than it has', () => {
    const { opLogs, path, commit, warnings } = setUp()
    commit(newEpoch(), opsFrom(1, 2))
    const db = new Database(path)
    db.exec(`INSERT INTO commits (after, at, user) VALUES (2, 5, '${anybody}')`)
    db.close()
    opLogs.suspect(spaceId)
    opLogs.open(spaceId, newEpoch()).close()
    expect(warnings).toMatchObject([{ reason: 'somebody committed after 2, and the log ends at 2' }])
  })

  it('finds deletions by an index, however long the log is', () => {
    const { path, commit } = setUp()
    commit(newEpoch(), [moveOp(1, '0')])
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

  it('reads the newest clock of a tree by an index, and a page by position', () => {
    const { path, commit } = setUp()
    commit(newEpoch(), opsFrom(1, 3))
    const db = new Database(path, { readonly: true })
    const plan = (name: 'maxClock' | 'opsAfter') => {
      const { source } = spaceQueries[name](db)
      return JSON.stringify(db.prepare(`EXPLAIN QUERY PLAN ${source}`).all({ treeId, through: 3, after: 1 }))
    }
    expect(plan('maxClock')).toMatch(/SEARCH tree_ops USING COVERING INDEX \w+ \(treeId=\?\)/)
    expect(plan('opsAfter')).toContain('INTEGER PRIMARY KEY (rowid>?)')
    for (const name of ['maxClock', 'opsAfter'] as const) expect(plan(name)).not.toContain('TEMP B-TREE')
    db.close()
  })

  it('can be read by another program while the server writes', () => {
    const { opLogs, path } = setUp()
    const log = opLogs.open(spaceId, newEpoch())
    appendTo(log, opsFrom(1, 2))
    const reader = new Database(path, { readonly: true })
    const count = reader.prepare('SELECT count(*) AS n FROM tree_ops')
    expect(count.get()).toEqual({ n: 2 })
    appendTo(log, opsFrom(3, 1))
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
    appendTo(log, opsFrom(1, 10))
    const db = new Database(path)
    db.exec(`VACUUM INTO '${path}.backup'`)
    db.close()
    appendTo(log, opsFrom(11, 5))
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
    db.pragma('user_version = 9')
    db.close()
    const before = readFileSync(path)
    const { code, cause } = failureOf(() => opLogs.open(spaceId, newEpoch()))
    expect(code).toBe('storage_failed')
    expect(cause).toBeInstanceOf(StorageFailure)
    expect(String(cause)).toContain(path)
    expect(String(cause)).toContain('version 9')
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
    appendTo(log, opsFrom(1, 1))
    const other = new Database(path)
    other.exec('BEGIN IMMEDIATE')
    expect(failureOf(() => appendTo(log, opsFrom(2, 1))).code).toBe('storage_failed')
    expect(log.head).toBe(1)
    other.exec('ROLLBACK')
    other.close()
    expect(appendTo(log, opsFrom(2, 1))).toEqual({ after: 1, cursor: 2 })
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
    appendTo(log, opsFrom(1, 1))
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
    expect(readdirSync(dirname(path))).toEqual([`${spaceId}.deleted`])
  })
})

describe('[SI1] a file that keeps whose it is', () => {
  const identity = '1'.repeat(32) as SpaceIdentity
  const access = { identity, accessId: '2'.repeat(32) as AccessId, seal: 'the members' }

  function kept() {
    const all = setUp()
    all.identities.set(spaceId, identity)
    all.commit(newEpoch(), opsFrom(1, 20))
    const log = all.opLogs.open(spaceId, newEpoch())
    expect(log.access).toBeUndefined()
    log.keepAccess(access)
    appendTo(log, opsFrom(21, 1))
    log.close()
    return all
  }

  it('belongs to the space that was registered again with its identity, after the accounts lost it', () => {
    const { options, opLogs, warnings } = kept()
    options.known.clear()
    const log = opLogs.open(spaceId, newEpoch())
    expect(log).toMatchObject({ head: 21, access })
    log.close()
    expect(warnings).toEqual([])
    expect(options.known.has(spaceId)).toBe(true)
  })

  it.each([
    ['was not known', (known: Set<SpaceId>) => known.clear()],
    ['had a file already', () => {}],
  ])('is set aside for another space of its id, which %s', (_, forget) => {
    const { options, opLogs, path, warnings, identities } = kept()
    forget(options.known)
    identities.set(spaceId, '3'.repeat(32) as SpaceIdentity)
    const log = opLogs.open(spaceId, newEpoch())
    expect(log).toMatchObject({ head: 0, access: undefined })
    log.keepAccess({ ...access, identity: '3'.repeat(32) as SpaceIdentity })
    log.close()
    const aside = `${path}.unknown-${madeAt}`
    expect(warnings).toEqual([{ spaceId, path, setAside: aside }])
    const set = new Database(aside)
    expect(set.prepare('SELECT count(*) FROM tree_ops').pluck().get()).toBe(21)
    set.close()
    const again = opLogs.open(spaceId, newEpoch())
    expect(again.access?.identity).toBe('3'.repeat(32))
    again.close()
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
    expect(appendTo(other, opsFrom(1, 1, { space: otherSpaceId }))).toEqual({ after: 0, cursor: 1 })
    other.close()
    opLogs.delete(spaceId)
    expect(readdirSync(join(dataDir, 'a1'))).toEqual([`${spaceId}.deleted`])
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
    appendTo(log, opsFrom(1, count))
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
      appendTo(log, opsFrom(21, 5))
      displace(path, copy)
      const cause = new StorageFailure(path, new DisplacedFileError(''))
      for (const use of [() => log.check(), () => appendTo(log, opsFrom(26, 1))]) {
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
    appendTo(source, opsFrom(1, 30))
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
    appendTo(log, largeOps(21))
    appendTo(log, opsFrom(41, 5))
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
    appendTo(log, largeOps(21))
    appendTo(log, opsFrom(41, 5))
    copyFileSync(copy, path)
    expect(() => appendTo(log, opsFrom(46, 1))).toThrow('storage')
    log.close()
    expect(contents()).toEqual([])
    expect(warnings).toMatchObject([{ setAside: `${path}.corrupt-${madeAt}` }])
  })

  it('refuses commits when a copy was restored into it through SQLite', () => {
    const { log, shell, contents } = opened()
    shell((db) => db.exec('DELETE FROM tree_ops WHERE seq > 7'))
    expect(() => appendTo(log, opsFrom(21, 1))).toThrow('storage')
    expect(log.head).toBe(20)
    log.close()
    expect(contents()).toEqual(opsFrom(1, 7))
  })

  // SQLite's default wait of five seconds would exceed the timeout of this test.
  it('does not wait long for another program that holds its lock', { timeout: 4_500 }, () => {
    const { log, path } = opened()
    const shell = new Database(path)
    shell.exec('BEGIN IMMEDIATE')
    expect(() => appendTo(log, opsFrom(21, 1))).toThrow('storage')
    shell.close()
    expect(appendTo(log, opsFrom(21, 1)).cursor).toBe(21)
    log.close()
  })

  it('can be read, copied and checked by other programs', () => {
    const { log, path, backUp, shell } = opened()
    backUp()
    shell((db) => db.pragma('integrity_check'))
    // Enough for a checkpoint by this process.
    appendTo(log, largeOps(21))
    expect(statSync(path).size).toBeGreaterThan(5_000_000)
    shell((db) => db.pragma('integrity_check'))
    expect(() => log.check()).not.toThrow()
    expect(appendTo(log, opsFrom(41, 5)).cursor).toBe(45)
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
    appendTo(log, opsFrom(1, 10))
    checkpoint()
    copy('early')
    appendTo(log, opsFrom(11, 3_000))
    checkpoint()
    appendTo(log, opsFrom(3_011, 500))
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
    expect(appendTo(log, opsFrom(11, 5))).toEqual({ after: 10, cursor: 15 })
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
  const { dataDir, opLogs, path, commit } = setUp()
  commit(newEpoch(), opsFrom(1, 1))
  for (const suffix of ['-wal', '-shm']) writeFileSync(path + suffix, '')
  opLogs.delete(spaceId)
  for (const suffix of ['', '-wal', '-shm']) expect(existsSync(path + suffix)).toBe(false)
  // Another process finds that too, whatever its accounts say.
  const later = createSqliteOpLogs({ dataDir })
  expect([later.wasDeleted(spaceId), later.wasDeleted(otherSpaceId)]).toEqual([true, false])
  expect(opLogs.bytesOf('00000000000000000000000000000000' as SpaceId)).toBe(0)
})

it('files beside a database that was read-only for a while become writable with it', () => {
  const { path, commit, opLogs } = setUp()
  commit(newEpoch(), opsFrom(1, 2))
  const other = new Database(path)
  other.exec("INSERT INTO epochs VALUES (9, 'kept open, so that the files beside it stay', NULL, 0)")
  other.exec("DELETE FROM epochs WHERE epoch LIKE 'kept%'")
  const beside = ['-wal', '-shm'].map((suffix) => path + suffix)
  for (const file of beside) chmodSync(file, 0o444)
  const log = opLogs.open(spaceId, newEpoch())
  appendTo(log, opsFrom(3, 1))
  for (const file of [path, ...beside]) expect(statSync(file).mode & 0o200).toBe(0o200)
  log.close()
  other.close()
})

describe('a file that was cut off or has a wrong bit', () => {
  /** The version of the schema: another one is a newer program's file, which is left alone. */
  const isVersion = (at: number) => at >= 60 && at < 64
  const headerBits = Array.from({ length: 100 }, (_, at) => at)
    .filter((at) => !isVersion(at))
    .flatMap((at) => (at === 18 ? [2, 7] : [at % 8]).map((bit) => [at, bit] as const))

  function sound(): Buffer {
    const { path, commit } = setUp()
    commit(newEpoch(), [moveOp(1, null, { target: treeId }), ...opsFrom(2, 400)])
    return readFileSync(path)
  }

  /** Uses the file as one server does after another, each until it has failed three times. */
  function recovers(bytes: Buffer): boolean {
    const { path, options, dataDir } = setUp()
    const { known } = options
    known.add(spaceId)
    mkdirSync(dirname(path))
    writeFileSync(path, bytes)
    const opLogs = createSqliteOpLogs({ dataDir, ...options, synchronous: 'normal' })
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        const log = opLogs.open(spaceId, newEpoch())
        try {
          log.read(0, { maxOps: 1_000, maxBytes: 1_000_000 })
          appendTo(log, [setOp(5_000 + attempt, 'written after', { peer: 'b' })])
          return true
        } finally {
          log.close()
        }
      } catch (error) {
        if (!(error instanceof SyncError) || error.code !== 'storage_failed') throw error
      }
    }
    return false
  }

  it('is used again or set aside, wherever it was cut off', () => {
    const bytes = sound()
    const pages = Array.from({ length: bytes.length / 4_096 }, (_, page) => page * 4_096)
    const cuts = [
      1,
      16,
      17,
      24,
      40,
      59,
      60,
      63,
      64,
      99,
      100,
      101,
      128,
      ...pages.flatMap((page) => [page + 140, page + 2_048]),
    ]
    expect(cuts.filter((length) => !recovers(bytes.subarray(0, length)))).toEqual([])
  })

  /** A file of a server that was killed early, and whose write-ahead log was taken away: nothing but a header. */
  function begun(): Buffer {
    const { path, opLogs } = setUp()
    const log = opLogs.open(spaceId, newEpoch())
    const bytes = readFileSync(path)
    log.close()
    return bytes
  }

  it.each([
    ['has all operations', sound],
    ['has only just begun', begun],
  ])('that %s is used again or set aside, whichever bit of its header is wrong', (_, make) => {
    const bytes = make()
    const failed = headerBits.filter(([at, bit]) => {
      const wrong = Buffer.from(bytes)
      wrong[at]! ^= 1 << bit
      return !recovers(wrong)
    })
    expect(failed).toEqual([])
  })

  it('is set aside when its schema is not its own', () => {
    const bytes = sound()
    for (const word of ['tree_ops', 'targetId', 'log_id', 'CREATE', 'create']) {
      const at = bytes.indexOf(word)
      if (at < 0 || at > 4_096) continue
      const wrong = Buffer.from(bytes)
      wrong[at]! ^= 1
      expect([word, recovers(wrong)]).toEqual([word, true])
    }
  })

  it('is left alone when nobody may write to it', () => {
    const { path, commit, opLogs } = setUp()
    commit(newEpoch(), opsFrom(1, 2))
    const before = readFileSync(path)
    const db = new Database(path)
    db.exec('BEGIN EXCLUSIVE')
    expect(failureOf(() => appendTo(opLogs.open(spaceId, newEpoch()), opsFrom(3, 1)))).toMatchObject({
      code: 'storage_failed',
    })
    db.close()
    expect(readdirSync(dirname(path)).filter((name) => name.includes('corrupt'))).toEqual([])
    expect(readFileSync(path)).toEqual(before)
  })
})
