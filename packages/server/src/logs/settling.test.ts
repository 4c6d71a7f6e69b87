import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { batchVersion, decodeBatch, limits, type TreeId, type TreeOperation } from '@t69/protocol'
import Database from 'better-sqlite3'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it, test, vi } from 'vitest'

import { readPage } from '../storage/read-page.ts'
import { anybody, appendTo, moveOp, newEpoch, opsFrom, setOp, spaceId, treeId } from '../testing/ops.ts'
import { examineFile } from './examine-file.ts'
import { createMemoryOpLogs } from './memory-op-logs.ts'
import type { Settling } from './next-segment.ts'
import type { OpLog } from './op-log.ts'
import { openReadOnlyLog } from './read-only-log.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'
import { storedOps } from './stored-ops.ts'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const all: Settling = { keepOps: 0, minOps: 1, maxOps: 10_000 }

function setUp(settling: Settling = all) {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-settling-'))
  folders.push(dataDir)
  const warnings: object[] = []
  const create = () =>
    createSqliteOpLogs({
      dataDir,
      synchronous: 'normal',
      now: () => 123,
      settling,
      warn: (details) => void warnings.push(details),
    })
  const path = join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
  return { dataDir, opLogs: create(), create, path, warnings }
}

function settleAll(log: OpLog): void {
  while (log.isUnsettled) log.settle()
}

const roomy = { maxOps: 1_000_000, maxBytes: 1e9 }

it('goes on when there is no room to give back the room that settled rows took', () => {
  const { opLogs } = setUp({ keepOps: 0, minOps: 1, maxOps: 4_096 })
  const log = opLogs.open(spaceId, newEpoch())
  for (let first = 1; first <= 6_000; first += 500) appendTo(log, opsFrom(first, 500))
  log.settle()
  const vacuum = vi.spyOn(Database.prototype, 'exec').mockImplementation(function (this: Database.Database) {
    // As the commit before may have done, if much was written by then.
    this.pragma('wal_checkpoint(PASSIVE)')
    throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL')
  })
  expect(() => log.settle()).toThrow('the storage of this space fails')
  expect(vacuum).toHaveBeenCalledOnce()
  vacuum.mockRestore()
  expect(appendTo(log, opsFrom(6_001, 1))).toEqual({ after: 6_000, cursor: 6_001 })
  log.close()
})

describe('a log that settles', () => {
  const trees = ['tree', 'b']
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 12 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  )
  const drawnOp = fc.record({
    tree: fc.constantFrom(...trees),
    clock: fc.oneof(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 30_000 }),
      fc
        .maxSafeInteger()
        .map((n) => Math.abs(n) + 1)
        .filter((n) => Number.isSafeInteger(n)),
    ),
    peer: fc.constantFrom('1', '2', 'p'),
    target: fc.constantFrom('v', 'w'),
    what: fc.constantFrom<'delete' | 'move' | 'set' | 'remove' | 'empty'>(
      'delete',
      'move',
      'set',
      'remove',
      'empty',
    ),
  })

  function opOf({
    tree,
    clock,
    peer,
    target,
    what,
  }: typeof drawnOp extends fc.Arbitrary<infer T> ? T : never): TreeOperation {
    const where = { tree, peer, target }
    if (what === 'delete') return moveOp(clock, '0', where)
    if (what === 'move') return moveOp(clock, 'parent', where)
    return setOp(clock, what === 'set' ? { é: [clock] } : what === 'empty' ? null : undefined, where)
  }

  test('answers as a log that keeps every operation as a row', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.array(drawnOp, { minLength: 60, maxLength: 120 }),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 1, max: 9 }),
        (steps, drawn, keepOps, maxOps) => {
          const { opLogs, path } = setUp({ keepOps, minOps: 1, maxOps })
          const plain = createMemoryOpLogs().open(spaceId, newEpoch())
          let log = opLogs.open(spaceId, newEpoch())
          const byId = new Map(drawn.map((one) => [`${one.tree} ${one.clock} ${one.peer}`, opOf(one)]))
          const fresh = [...byId.values()]
          for (const { kind, ...rest } of steps) {
            if (kind === 'settle') log.settle()
            if (kind === 'reopen') {
              log.close()
              log = opLogs.open(spaceId, newEpoch())
            }
            if (!('count' in rest)) continue
            const ops = fresh.splice(0, rest.count)
            appendTo(log, ops)
            appendTo(plain, ops)
          }
          const { head } = plain
          expect(log.head).toBe(head)
          for (let after = 0; after <= head; after += 3) {
            expect(log.read(after, roomy)).toStrictEqual(plain.read(after, roomy))
            expect(log.read(after, { maxOps: 4, maxBytes: 100 })).toStrictEqual(
              plain.read(after, { maxOps: 4, maxBytes: 100 }),
            )
          }
          const asked = [...byId.values()].flatMap((op) => [
            op,
            { ...setOp(op.clock, 'other'), treeId: op.treeId, peerId: op.peerId },
          ])
          expect(new Map(log.lookUp(asked))).toEqual(new Map(plain.lookUp(asked)))
          for (const tree of [...trees, 'none'] as TreeId[]) {
            expect(log.maxClock(tree)).toBe(plain.maxClock(tree))
            expect(log.countTree(tree, 20)).toBe(plain.countTree(tree, 20))
            for (const through of [head, Math.floor(head / 2)]) {
              expect(log.readTree(tree, { through }).ops).toStrictEqual(plain.readTree(tree, { through }).ops)
            }
            for (const { targetId } of asked) {
              expect(log.wasDeleted({ treeId: tree, targetId })).toBe(
                plain.wasDeleted({ treeId: tree, targetId }),
              )
            }
          }
          log.close()
          expect(examineFile(path)).toBeUndefined()
        },
      ),
      { numRuns: 40 },
    )
  })

  it('refuses an id that is settled, and does not change', () => {
    const log = setUp().opLogs.open(spaceId, newEpoch())
    appendTo(log, opsFrom(1, 10))
    settleAll(log)
    expect(() => appendTo(log, [setOp(11, 'new'), setOp(4, 'again')])).toThrow('twice')
    expect(log.head).toBe(10)
    log.close()
  })

  it('keeps the newest operations as rows, and moves no more at once than it may', () => {
    const { opLogs, path } = setUp({ keepOps: 5, minOps: 10, maxOps: 20 })
    const log = opLogs.open(spaceId, newEpoch())
    const db = new Database(path, { readonly: true })
    const rows = db.prepare('select count(*) from tree_ops').pluck()
    appendTo(log, opsFrom(1, 14))
    expect(log.isUnsettled).toBe(false)
    appendTo(log, opsFrom(15, 36))
    log.settle()
    expect(rows.get()).toBe(30)
    settleAll(log)
    expect(rows.get()).toBeLessThan(15)
    expect(rows.get()).toBeGreaterThanOrEqual(5)
    db.close()
    log.close()
  })

  it('gives back the room that rows took, also in a file of an earlier version', () => {
    const { opLogs, path } = setUp()
    const log = opLogs.open(spaceId, newEpoch())
    appendTo(log, opsFrom(1, 5_000))
    const before = log.bytes
    settleAll(log)
    expect(log.bytes).toBeLessThan(before / 10)
    log.close()
    expect(statSync(path).size).toBeLessThan(before / 10)
  })

  it('[PL2] [CO4] sends a segment as a page as it is, and ends a page that begins within one where it ends', () => {
    const log = setUp({ keepOps: 10, minOps: 1, maxOps: 11_000 }).opLogs.open(spaceId, newEpoch())
    appendTo(log, opsFrom(1, 12_000))
    settleAll(log)
    const page = (after: number, maxBytes: number = limits.batchBudgetBytes) =>
      readPage(log, { spaceId, after, maxBytes })
    const first = page(0)
    expect(first.cursor).toBe(log.segmentAt(0)?.cursor)
    expect(page(5_000).cursor).toBe(first.cursor)
    expect(page(first.cursor).cursor).toBe(log.segmentAt(first.cursor)?.cursor ?? log.head)
    const small = page(0, limits.minPageBytes)
    expect(small.batch.length).toBeLessThanOrEqual(limits.minPageBytes)
    expect(small.cursor).toBeGreaterThan(10)
    log.close()
  })

  it('[PL6] sends a segment byte for byte to who takes compressed pages, and the batch in it to everybody else', () => {
    const log = setUp({ keepOps: 1_000, minOps: 1, maxOps: 10_000 }).opLogs.open(spaceId, newEpoch())
    appendTo(log, opsFrom(1, 5_000))
    settleAll(log)
    const page = (after: number, takesCompressed: boolean) =>
      readPage(log, { spaceId, after, maxBytes: limits.batchBudgetBytes, takesCompressed })
    const { cursor = 0, page: kept = new Uint8Array() } = log.segmentAt(0) ?? {}
    expect(page(0, true).batch).toEqual(new Uint8Array(kept))
    for (const after of [0, 100, cursor]) {
      const [packed, plain] = [page(after, true), page(after, false)]
      expect(packed.batch.length).toBeLessThan(plain.batch.length)
      expect(plain.batch[0]).toBe(batchVersion)
      expect(decodeBatch(packed.batch)).toEqual(decodeBatch(plain.batch))
    }
    log.close()
  })

  it('[CO4] ends a segment where a page would tell of too many commits', () => {
    const log = setUp().opLogs.open(spaceId, newEpoch())
    const minute = 60_000
    for (let commit = 0; commit <= limits.maxCommitsPerPage; commit++) {
      log.append([{ userId: anybody, ops: opsFrom(commit * 2 + 1, 2) }], commit * minute)
    }
    settleAll(log)
    const page = readPage(log, { spaceId, after: 0, maxBytes: limits.batchBudgetBytes })
    expect(page.commits).toHaveLength(limits.maxCommitsPerPage)
    expect(page.cursor).toBe(limits.maxCommitsPerPage * 2)
    log.close()
  })

  it('is read whole by another connection, whatever settles meanwhile', () => {
    const { dataDir, opLogs } = setUp()
    const log = opLogs.open(spaceId, newEpoch())
    appendTo(log, opsFrom(1, 100))
    const reader = openReadOnlyLog(dataDir, spaceId, () => {})
    settleAll(log)
    expect(reader.readTree(treeId).ops).toEqual(opsFrom(1, 100))
    appendTo(log, opsFrom(101, 50))
    settleAll(log)
    expect(reader.readTree(treeId, { through: 120 }).ops).toEqual(opsFrom(1, 120))
    reader.close()
    log.close()
  })
})

describe('the file of a log that has settled', () => {
  const older = [...opsFrom(1, 2_999), moveOp(3_000, '0', { target: 'deleted' })]
  const newer = opsFrom(3_001, 50)

  /** Two processes committed to it. What the first did is settled. */
  function settled() {
    const all = setUp()
    const log = all.opLogs.open(spaceId, newEpoch())
    appendTo(log, older)
    settleAll(log)
    log.close()
    const again = all.opLogs.open(spaceId, newEpoch())
    appendTo(again, newer)
    again.close()
    return all
  }

  function change(path: string, sql: string): void {
    const db = new Database(path)
    db.exec(sql)
    db.close()
  }

  it.each([
    [
      'a segment',
      "update segments set page = cast(x'00' || substr(page, 2) as blob)",
      /segment after 0 does not fit/,
    ],
    ['where a segment ends', 'update segments set cursor = cursor + 1', /segment after 0/],
    ['an id', "update settled_ids set peerId = 'q'", /ids of q in tree .* do not fit/],
    ['a row', 'update tree_ops set value = \'"x"\' where seq = 3010', /operation 3010/],
    ['a count', 'update settled_trees set ops = ops + 1', /of their trees/],
    ['a delete', "update settled_deletes set targetId = 'other'", /delete of other in tree does not fit/],
    ['that something was deleted', 'delete from settled_deletes', /0 vertices are deleted, and 1/],
    ['when a process began', 'update epochs set after = 2999 where after = 3000', /the epoch after 2999/],
    ['which process began', `update epochs set epoch = '${newEpoch()}' where after = 0`, /the epoch after 0/],
    ['that a process began', 'delete from epochs where after = 0', /the epoch after 3000/],
    ['that a segment is there', 'delete from segments', /missing|segments/],
  ])('is set aside when %s is not what was written, and says which', (_, sql, reason) => {
    const { path, opLogs, warnings } = settled()
    change(path, sql)
    opLogs.suspect(spaceId)
    const log = opLogs.open(spaceId, newEpoch())
    expect(log.head).toBe(0)
    log.close()
    expect(warnings).toEqual([
      expect.objectContaining({ spaceId, reason: expect.stringMatching(reason) as unknown }),
    ])
  })

  it.each([
    [
      'a page',
      "update segments set page = cast(x'00' || substr(page, 2) as blob)",
      (log: OpLog) => log.segmentAt(5),
    ],
    ['a row', 'update tree_ops set clock = 9000 where seq = 3010', (log: OpLog) => log.read(3_000, roomy)],
    ['ids', 'update settled_ids set first = first + 2', (log: OpLog) => log.compare(setOp(5, 'x'))],
    ['a tree', 'update tree_ops set clock = 9000 where seq = 3010', (log: OpLog) => log.readTree(treeId)],
    ['ids that are gone', 'delete from settled_ids', (log: OpLog) => log.compare(setOp(5, 'x'))],
    ['a tree whose ids are gone', 'delete from settled_ids', (log: OpLog) => log.readTree(treeId)],
    ['a delete', 'update settled_deletes set checksum = 1', (log: OpLog) => log.wasDeleted(older.at(-1)!)],
    ['a delete that is gone', 'delete from settled_deletes', (log: OpLog) => log.wasDeleted(older[0]!)],
  ])('never gives out %s that is wrong, and is examined then', (_, sql, use) => {
    const { path, opLogs, warnings } = settled()
    change(path, sql)
    const log = opLogs.open(spaceId, newEpoch())
    expect(() => use(log)).toThrow('storage')
    log.close()
    opLogs.open(spaceId, newEpoch()).close()
    expect(warnings).toHaveLength(1)
  })

  it('looks at the rows of the tree that it is asked about, and at no others', () => {
    const { path, opLogs } = setUp()
    const log = opLogs.open(spaceId, newEpoch())
    appendTo(log, [setOp(1, 'x'), setOp(1, 'x', { tree: 'b' })])
    settleAll(log)
    log.close()
    change(path, "delete from settled_ids where treeId = 'b'")
    const again = opLogs.open(spaceId, newEpoch())
    expect(again.compare(setOp(1, 'x'))).toBe('same')
    expect(() => again.compare(setOp(1, 'x', { tree: 'b' }))).toThrow('storage')
    again.close()
  })

  it.each([
    [9_000, 'refused'],
    [11_000, 11_001],
  ])(
    'reads a bounded part of a tree that %i peers wrote, to compare it with its highest clock',
    (peers, told) => {
      const { path, opLogs } = setUp()
      const log = opLogs.open(spaceId, newEpoch())
      appendTo(
        log,
        Array.from({ length: peers }, (_, nr) => setOp(nr + 1, 'x', { peer: `p${nr}` })),
      )
      settleAll(log)
      log.close()
      change(path, 'update settled_trees set clock = clock + 1')
      const again = opLogs.open(spaceId, newEpoch())
      const highest = (): unknown => {
        try {
          return again.maxClock(treeId)
        } catch {
          return 'refused'
        }
      }
      expect(highest()).toBe(told)
      again.close()
    },
  )

  it('shows its operations as rows, settled ones too', () => {
    const { path } = settled()
    const shown = [...storedOps(path)]
    expect(shown.map(({ op }) => op)).toEqual([...older, ...newer])
    expect(shown.map(({ seq }) => seq)).toEqual(shown.map((_, index) => index + 1))
    expect(shown.filter(({ isSettled }) => isSettled)).toHaveLength(3_000)
  })
})

describe('a file of an earlier version', () => {
  const folder = join(import.meta.dirname, '../../../../tests/data')
  const versions = readdirSync(folder).filter((name) => name.endsWith('.db'))

  /** What the file holds, read without the code of the log. SQLite leaves other files beside one that it opens. */
  function rowsIn(path: string): unknown[] {
    const db = new Database(path, { readonly: true })
    const rows = db
      .prepare('select clock, peerId, treeId, targetId, parentId, key, value from tree_ops order by seq')
      .all()
    db.close()
    return rows
  }

  it('is kept for every version that there was', () => {
    expect(versions.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7].map((version) => `space-file-${version}.db`))
  })

  it('is kept with nothing beside it that was not written yet', () => {
    expect(readdirSync(folder).filter((name) => /-(shm|wal)$/.test(name))).toEqual([])
  })

  it.each(versions)('%s is opened, written to, settled and read as it was', (name) => {
    const { path, create } = setUp()
    mkdirSync(dirname(path))
    copyFileSync(join(folder, name), path)
    const plainRows = join(dirname(path), 'rows')
    copyFileSync(join(folder, 'space-file-1.db'), plainRows)
    const before = rowsIn(plainRows)
    const log = create().open(spaceId, newEpoch())
    expect(log.head).toBe(35)
    const plain = log.read(0, roomy)
    expect(log.compare(plain[20]!)).toBe('same')
    appendTo(log, opsFrom(1, 5))
    settleAll(log)
    expect(log.read(0, roomy)).toStrictEqual([...plain, ...opsFrom(1, 5)])
    expect(log.lookUp(plain).size).toBe(35)
    expect(log.logId).toBe('1'.repeat(32))
    log.close()
    expect(examineFile(path)).toBeUndefined()
    const shown = [...storedOps(path)].slice(0, 35).map(({ op }) => ({
      clock: op.clock,
      peerId: op.peerId,
      treeId: op.treeId,
      targetId: op.targetId,
      parentId: op.parentId ?? null,
      key: op.key ?? null,
      value: op.value === undefined ? null : JSON.stringify(op.value),
    }))
    expect(shown).toEqual(before)
  })
})
