import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import type { AccessId, SpaceId, SpaceIdentity } from '@t69/protocol'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { migrate } from '../sqlite/migrate.ts'
import { anybody, appendTo, newEpoch, opsFrom, setOp, spaceId } from '../testing/ops.ts'
import type { OpLogs } from './op-log.ts'
import { openReadOnlyLog } from './read-only-log.ts'
import { pathOfSpace } from './space-path.ts'
import { spaceMigrations } from './space-schema.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

const toRead = { toRead: true }
const wholePage = { maxOps: 1_000, maxBytes: 1_000_000 }
const identity = '1'.repeat(32) as SpaceIdentity
const access = { identity, accessId: '2'.repeat(32) as AccessId, seal: 'the members' }

let dataDir: string
let path: string
let opLogs: OpLogs
let known: { identity: SpaceIdentity | undefined; readonly logs: Set<SpaceId> }

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-to-read-'))
  path = pathOfSpace(dataDir, spaceId)
  known = { identity, logs: new Set() }
  const { logs } = known
  opLogs = createSqliteOpLogs({
    dataDir,
    synchronous: 'normal',
    known: {
      has: (id) => logs.has(id),
      add: (id) => void logs.add(id),
      identityOf: () => known.identity,
    },
  })
})

afterEach(() => rmSync(dataDir, { recursive: true }))

const files = (): string[] => readdirSync(dirname(path))

function write(...ops: Parameters<typeof appendTo>[1][]): void {
  const log = opLogs.open(spaceId, newEpoch())
  for (const some of ops) appendTo(log, some)
  log.close()
}

describe('a log that is opened to be read', () => {
  it('has what the file has, makes no file beside it, and takes no writes', () => {
    const writer = opLogs.open(spaceId, newEpoch())
    appendTo(writer, opsFrom(1, 20))
    writer.keepAccess(access)
    const { logId, epoch, head } = writer
    const commits = writer.commits({ after: 0, cursor: 20 }, 9)
    writer.close()

    const log = opLogs.open(spaceId, newEpoch(), toRead)
    expect(log).toMatchObject({ isReadOnly: true, logId, epoch, head, access })
    expect(log.read(0, wholePage)).toEqual(opsFrom(1, 20))
    expect(log.commits({ after: 0, cursor: 20 }, 9)).toEqual(commits)
    expect(log.compare(setOp(3, 'value 3'))).toBe('same')
    expect(log.holds({ logId, epoch, cursor: 20 })).toBe(true)
    log.check()
    expect(files()).toEqual([`${spaceId}.db`])
    expect(() => appendTo(log, opsFrom(21, 1))).toThrow('the storage of this space fails')
    log.close()
    expect(files()).toEqual([`${spaceId}.db`])
  })

  it('does so where a tree is read', () => {
    write(opsFrom(1, 20))
    const log = openReadOnlyLog(dataDir, spaceId, () => {})
    expect(log.head).toBe(20)
    log.close()
    expect(files()).toEqual([`${spaceId}.db`])
  })

  it('is the file itself if that is new, large, or has a write-ahead log with content', () => {
    const fresh = opLogs.open(spaceId, newEpoch(), toRead)
    expect(fresh.isReadOnly).toBe(false)
    appendTo(fresh, opsFrom(1, 3))
    // A reader keeps what was written in the write-ahead log.
    const reader = new Database(path, { readonly: true })
    reader.exec('begin; select * from tree_ops')
    fresh.close()
    const beside = opLogs.open(spaceId, newEpoch(), toRead)
    expect(beside).toMatchObject({ isReadOnly: false, head: 3 })
    reader.close()
    beside.close()

    write([setOp(4, 'x'.repeat(300_000))])
    const large = opLogs.open(spaceId, newEpoch(), toRead)
    expect(large).toMatchObject({ isReadOnly: false, head: 4 })
    large.close()
  })

  it('is checked as the file is: what was changed since it was read is not taken for the log', () => {
    write(opsFrom(1, 3))
    const log = opLogs.open(spaceId, newEpoch(), toRead)
    const other = new Database(path)
    other.exec(`update spaces set created_at = 1`)
    expect(() => log.check()).toThrow('the storage of this space fails')
    other.close()
    expect(() => log.check()).toThrow('the storage of this space fails')
    log.close()
  })

  it('[SI1] is set aside like any other if it is that of another space of its id', () => {
    const writer = opLogs.open(spaceId, newEpoch())
    appendTo(writer, opsFrom(1, 3))
    writer.keepAccess(access)
    writer.close()
    known.identity = '3'.repeat(32) as SpaceIdentity
    const log = opLogs.open(spaceId, newEpoch(), toRead)
    expect(log).toMatchObject({ head: 0, access: undefined })
    log.close()
    expect(files().filter((name) => name.includes('.unknown-'))).toHaveLength(1)
  })

  it('is set aside like any other if it is damaged', () => {
    write(opsFrom(1, 3))
    const other = new Database(path)
    other.exec('delete from tree_ops where seq = 2')
    other.close()
    const log = opLogs.open(spaceId, newEpoch(), toRead)
    expect(() => log.read(0, wholePage)).toThrow('the storage of this space fails')
    log.close()
    const again = opLogs.open(spaceId, newEpoch(), toRead)
    expect(again.head).toBe(0)
    again.close()
    expect(files().filter((name) => /\.corrupt-.*Z$/.test(name))).toHaveLength(1)
  })

  it('is the file itself if an earlier version made that', () => {
    write(opsFrom(1, 3))
    rmSync(path)
    const old = new Database(path)
    migrate(old, Object.fromEntries(Object.entries(spaceMigrations).filter(([version]) => version < '8')))
    old.exec(`insert into spaces (id, created_at, log_id) values ('${spaceId}', 1, '${'1'.repeat(32)}')`)
    old.close()
    for (const isReadOnly of [false, true]) {
      const log = opLogs.open(spaceId, newEpoch(), toRead)
      expect(log).toMatchObject({ isReadOnly, logId: '1'.repeat(32) })
      log.close()
    }
  })

  it('is not a copy once the file could not be opened, so that whoever opens it is told', () => {
    write(opsFrom(1, 3))
    const lock = new Database(path)
    lock.pragma('locking_mode = exclusive')
    lock.exec('begin exclusive; commit')
    expect(() => opLogs.open(spaceId, newEpoch())).toThrow('the storage of this space fails')
    expect(() => opLogs.open(spaceId, newEpoch(), toRead)).toThrow('the storage of this space fails')
    lock.close()
    const log = opLogs.open(spaceId, newEpoch(), toRead)
    expect(log).toMatchObject({ isReadOnly: false, head: 3 })
    log.append([{ userId: anybody, ops: opsFrom(4, 1) }], 1)
    log.close()
    expect(existsSync(`${path}-wal`)).toBe(false)
    const copy = opLogs.open(spaceId, newEpoch(), toRead)
    expect(copy).toMatchObject({ isReadOnly: true, head: 4 })
    copy.close()
  })
})
