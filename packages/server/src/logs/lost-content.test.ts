import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import type { SpaceId, TreeOperation } from '@t69/protocol'
import Database from 'better-sqlite3'
import { afterEach, describe, expect, it } from 'vitest'

import { anybody, appendTo, moveOp, newEpoch, newUserId, opsFrom, setOp, spaceId } from '../testing/ops.ts'
import { examineFile } from './examine-file.ts'
import type { Settling } from './next-segment.ts'
import type { OpLog } from './op-log.ts'
import { openReadOnlyLog } from './read-only-log.ts'
import { settledTableNames } from './space-schema.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'
import { storedOps } from './stored-ops.ts'

/** What damage can take away without a trace where it was: tables, an index, the last rows, entries of an index. */

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const someRows: Settling = { keepOps: 10, minOps: 1, maxOps: 10_000 }
const noRows: Settling = { keepOps: 0, minOps: 1, maxOps: 10_000 }
const roomy = { maxOps: 1_000_000, maxBytes: 1e9 }

function setUp(settling: Settling = someRows) {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-lost-'))
  folders.push(dataDir)
  const warnings: object[] = []
  const known = Object.assign(new Set<SpaceId>(), { identityOf: () => undefined })
  const opLogs = createSqliteOpLogs({
    dataDir,
    synchronous: 'normal',
    now: () => 123,
    settling,
    known,
    warn: (details) => void warnings.push(details),
  })
  const path = join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
  const use = <Result>(run: (log: OpLog) => Result, epoch = newEpoch()): Result => {
    const log = opLogs.open(spaceId, epoch)
    try {
      return run(log)
    } finally {
      log.close()
    }
  }
  /** The reasons why files were set aside. */
  const reasons = () => warnings.map((details) => String(Reflect.get(details, 'reason')))
  return { dataDir, opLogs, path, known, use, reasons }
}

function settleAll(log: OpLog): void {
  while (log.isUnsettled) log.settle()
}

function change(path: string, sql: string): void {
  const db = new Database(path)
  db.exec(sql)
  db.close()
}

const namesIn = (path: string): unknown[] => {
  const db = new Database(path, { readonly: true })
  const names = db.prepare('select name from sqlite_schema').pluck().all()
  db.close()
  return names
}

/** Takes things out of the schema, and leaves their pages where they are. */
function forget(path: string, names: readonly string[]): void {
  const db = new Database(path)
  db.unsafeMode()
  db.pragma('writable_schema = on')
  for (const name of names)
    db.prepare('delete from sqlite_schema where tbl_name = ? or name = ?').run(name, name)
  db.close()
}

/** Changes rows of a table without one of its indexes. */
function changeWithoutIndex(path: string, index: string, sql: string): void {
  const db = new Database(path)
  interface Thing {
    readonly type: string
    readonly name: string
    readonly tbl_name: string
    readonly rootpage: number
    readonly sql: string | null
  }
  const find = db.prepare<[string], Thing>('select * from sqlite_schema where name = ?')
  const found = find.get(index)
  const table = found && find.get(found.tbl_name)
  if (found === undefined || table === undefined) throw new Error(`there is no ${index}`)
  const setSql = 'update sqlite_schema set sql = ? where name = ?'
  db.unsafeMode()
  db.pragma('writable_schema = on')
  db.prepare('delete from sqlite_schema where name = ?').run(index)
  const key = table.name === 'tree_ops' ? /, constraint "tree_ops_id" unique \([^)]*\)/ : ' primary key'
  const without = table.sql?.replace(key, '')
  if (found.sql === null) db.prepare(setSql).run(without, table.name)
  db.pragma('writable_schema = reset')
  db.exec(sql)
  db.pragma('writable_schema = on')
  db.prepare(setSql).run(table.sql, table.name)
  db.prepare('insert into sqlite_schema values (@type, @name, @tbl_name, @rootpage, @sql)').run(found)
  db.close()
}

describe('a file that lost tables of settled operations', () => {
  const kept: [string, Settling][] = [
    ['some of its operations are rows', someRows],
    ['none of its operations is a row', noRows],
  ]
  const losses: [string, readonly string[]][] = [
    ...settledTableNames.map((name): [string, readonly string[]] => [name, [name]]),
    ['all of them', settledTableNames],
  ]
  const cases = kept.flatMap(([rows, settling]) =>
    losses.map(([what, names]) => ({ rows, settling, what, names })),
  )

  it.each(cases)('is damaged where $rows: $what', ({ settling, names }) => {
    for (const take of [
      (path: string) => forget(path, names),
      (path: string) => change(path, names.map((name) => `drop table ${name}`).join(';')),
    ]) {
      const { path, use, reasons } = setUp(settling)
      use((log) => {
        appendTo(log, [...opsFrom(1, 99), moveOp(100, '0')])
        settleAll(log)
      })
      take(path)
      // The segments are missed when they are read, and the others when something is asked that is in them.
      const read = () =>
        names.includes('segments')
          ? [...storedOps(path)]
          : use((log) => log.wasDeleted(moveOp(1, '0', { target: 'v' })))
      expect(read).toThrow(/missing|no such table|ends at 0|storage/)
      use((log) => expect(log.head).toBe(0))
      expect(reasons()).toEqual([expect.stringMatching(/missing|no such table|never used|ends at 0/i)])
    }
  })

  it('is damaged too where only a reader opens it', () => {
    const { dataDir, path, use } = setUp()
    use((log) => {
      appendTo(log, opsFrom(1, 100))
      settleAll(log)
    })
    change(path, settledTableNames.map((name) => `drop table ${name}`).join(';'))
    let isDamaged = false
    expect(() => openReadOnlyLog(dataDir, spaceId, () => void (isDamaged = true))).toThrow('storage')
    expect(isDamaged).toBe(true)
  })
})

describe('a file whose log never settled, or never deleted', () => {
  it('has no table and no index for that, until it does', () => {
    const { path, use } = setUp()
    use((log) => {
      appendTo(log, opsFrom(1, 10))
      expect(log.wasDeleted(moveOp(1, '0'))).toBe(false)
      expect(log.segmentAt(0)).toBeUndefined()
      const early = namesIn(path)
      for (const name of [...settledTableNames, 'tree_ops_deletes']) expect(early).not.toContain(name)
      appendTo(log, [moveOp(11, '0')])
      expect(namesIn(path)).toContain('tree_ops_deletes')
      expect(log.wasDeleted(moveOp(1, '0'))).toBe(true)
      settleAll(log)
      expect(namesIn(path)).toEqual(expect.arrayContaining([...settledTableNames]))
    })
    expect(examineFile(path)).toBeUndefined()
  })

  it('is read by a connection that was there before it settled', () => {
    const { dataDir, use } = setUp()
    use((log) => {
      appendTo(log, opsFrom(1, 10))
      const reader = openReadOnlyLog(dataDir, spaceId, () => {})
      appendTo(log, opsFrom(11, 50))
      settleAll(log)
      expect(reader.readTree(setOp(1, 'x').treeId, { through: 60 }).ops).toEqual(opsFrom(1, 60))
      reader.close()
    })
  })

  it('remembers no table that a transaction took back with it', () => {
    const { path, use } = setUp()
    use((log) => {
      appendTo(log, opsFrom(1, 50))
      change(path, "create trigger refusing before delete on tree_ops begin select raise(abort, 'no'); end")
      expect(() => log.settle()).toThrow('storage')
      expect(namesIn(path)).not.toContain('segments')
      expect(log.read(0, roomy)).toEqual(opsFrom(1, 50))
      expect(log.maxClock(setOp(1, 'x').treeId)).toBe(50)
      change(path, 'drop trigger refusing')
      settleAll(log)
      expect(log.segmentAt(0)).toBeDefined()
      expect(log.read(0, roomy)).toEqual(opsFrom(1, 50))
    })
  })

  it('remembers no index that a transaction took back with it', () => {
    const { path, use } = setUp()
    use((log) => {
      log.append([{ userId: anybody, ops: opsFrom(1, 5) }], 0)
      change(path, "create trigger refusing before insert on commits begin select raise(abort, 'no'); end")
      const deletion = moveOp(6, '0')
      expect(() => log.append([{ userId: newUserId(), ops: [deletion] }], 0)).toThrow('storage')
      expect(namesIn(path)).not.toContain('tree_ops_deletes')
      expect(log.wasDeleted(deletion)).toBe(false)
      change(path, 'drop trigger refusing')
      log.append([{ userId: newUserId(), ops: [deletion] }], 0)
      expect(log.wasDeleted(deletion)).toBe(true)
    })
  })
})

describe('an index that lost something', () => {
  const ops: readonly TreeOperation[] = [...opsFrom(1, 99), moveOp(100, '0')]

  function written() {
    const all = setUp()
    all.use((log) => appendTo(log, ops))
    return all
  }

  const asked: [string, (log: OpLog) => unknown][] = [
    ['an operation', (log) => log.compare(setOp(50, 'x'))],
    ['a deletion', (log) => log.wasDeleted(moveOp(1, '0'))],
    ['deletions elsewhere', (log) => log.wasDeleted(moveOp(1, '0', { tree: 'other' }))],
  ]
  const losses: [string, (path: string) => void][] = [
    [
      'the ids lost one',
      (path) =>
        changeWithoutIndex(
          path,
          'sqlite_autoindex_tree_ops_1',
          'update tree_ops set clock = 500 where seq = 7',
        ),
    ],
    [
      'the deletions lost one',
      (path) =>
        changeWithoutIndex(path, 'tree_ops_deletes', "update tree_ops set targetId = 'w' where seq = 100"),
    ],
    ['the deletions are gone', (path) => forget(path, ['tree_ops_deletes'])],
    ['the deletions were dropped', (path) => change(path, 'drop index tree_ops_deletes')],
  ]
  const cases = losses.flatMap(([loss, lose]) => asked.map(([what, ask]) => ({ loss, lose, what, ask })))

  it.each(cases)('is damage before something is said of $what: $loss', ({ lose, ask }) => {
    const { path, use, reasons } = written()
    lose(path)
    expect(() => use(ask)).toThrow('storage')
    use((log) => expect(log.head).toBe(0))
    expect(reasons()).toHaveLength(1)
  })

  it('stays damage when it is asked once more', () => {
    const { path, use } = written()
    losses[0]?.[1](path)
    use((log) => {
      expect(() => log.checkRows()).toThrow('storage')
      expect(() => log.compare(setOp(7, 'x'))).toThrow('storage')
    })
  })

  it('is damage where it lost the newest operation of a tree, before its clock counts as the highest', () => {
    const { path, use } = setUp()
    use((log) => appendTo(log, opsFrom(1, 100)))
    changeWithoutIndex(path, 'sqlite_autoindex_tree_ops_1', 'update tree_ops set clock = 500 where seq = 100')
    use((log) => expect(() => log.maxClock(opsFrom(1, 1)[0]!.treeId)).toThrow('storage'))
  })

  it('is damage where it names the row of another operation, whatever that says', () => {
    const { path, use } = setUp()
    const [first, second] = [setOp(1, 'same'), setOp(2, 'same')]
    use((log) => appendTo(log, [first]))
    // The last row is gone, and another is written at its place.
    use((log) => appendTo(log, [second]))
    changeWithoutIndex(path, 'sqlite_autoindex_tree_ops_1', 'delete from tree_ops where seq = 2')
    change(path, 'delete from epochs where after = 1; update epochs set is_last = 1')
    use((log) => {
      appendTo(log, [setOp(3, 'same')])
      expect(() => log.compare(second)).toThrow('storage')
    })
  })

  it('is looked through some thousands of rows at a time', () => {
    const { use } = setUp()
    use((log) => appendTo(log, opsFrom(1, 10_000)))
    use((log) => {
      expect([log.checkRows(), log.checkRows(), log.checkRows()]).toEqual([false, false, true])
      appendTo(log, opsFrom(10_001, 1))
      expect(log.checkRows()).toBe(true)
    })
    use((log) => {
      expect(log.checkRows()).toBe(false)
      // What settles meanwhile is no row any more.
      settleAll(log)
      expect(log.checkRows()).toBe(true)
      expect(log.compare(opsFrom(5_000, 1)[0]!)).toBe('same')
    })
  })
})

describe('the last row', () => {
  const [anna, ben, carl] = [newUserId(), newUserId(), newUserId()]
  const epochs = [newEpoch(), newEpoch(), newEpoch()]

  /** Three processes committed ten operations each, and each for somebody else. */
  function written() {
    const all = setUp()
    for (const [index, userId] of [anna, ben, carl].entries()) {
      all.use((log) => log.append([{ userId, ops: opsFrom(index * 10 + 1, 10) }], 0), epochs[index])
    }
    return all
  }

  it.each([1, 2, 3])('of epochs is missed, with %i of them gone', (count) => {
    const { path, use, reasons } = written()
    change(path, `delete from epochs where after > ${20 - count * 10}`)
    use((log) => expect(log.head).toBe(0))
    expect(reasons()).toEqual(['an epoch is missing'])
  })

  it('of epochs is missed where it was gone before the file was migrated', () => {
    const { path, known, use, reasons } = setUp()
    known.add(spaceId)
    mkdirSync(dirname(path))
    copyFileSync(join(import.meta.dirname, '../../../../tests/data/space-file-7.db'), path)
    changeWithoutIndex(path, 'sqlite_autoindex_epochs_1', 'delete from epochs where after = 20')
    use((log) => expect(log.head).toBe(0))
    expect(reasons()).toEqual(['an epoch is missing'])
  })

  it.each([1, 2, 3])('of commits is missed: with %i of them gone, what they told of is nobody’s', (count) => {
    const { path, use, reasons } = written()
    const last = 30 - count * 10
    change(path, `delete from commits where after >= ${last}`)
    const told = use((log) => log.commits({ after: 0, cursor: 30 }, 9))
    expect(told.filter(({ userId }) => userId !== null).every(({ after }) => after < last - 10)).toBe(true)
    expect(told.at(-1)).toEqual({ after: Math.max(0, last - 10), userId: null, at: 0 })
    expect(reasons()).toEqual([])
  })

  it('of commits stays missed when the person of the row before it commits again in that minute', () => {
    const { path, use } = written()
    change(path, 'delete from commits where after = 20')
    const told = use((log) => {
      for (const [index, userId] of [ben, anna].entries()) {
        log.append([{ userId, ops: opsFrom(31 + index, 1) }], 0)
      }
      return log.commits({ after: 0, cursor: 32 }, 9)
    })
    expect(told).toEqual([
      { after: 0, userId: anna, at: 0 },
      { after: 10, userId: null, at: 0 },
      { after: 30, userId: null, at: 0 },
      { after: 31, userId: anna, at: 0 },
    ])
  })

  it('of commits from before there were marks is told, and is marked once another follows', () => {
    const { path, use } = written()
    change(path, 'update commits set is_last = null')
    const told = (cursor: number) => use((log) => log.commits({ after: 20, cursor }, 9))
    expect(told(30)).toEqual([{ after: 20, userId: carl, at: 0 }])
    use((log) => log.append([{ userId: anna, ops: opsFrom(31, 1) }], 0))
    expect(told(31)).toEqual([
      { after: 20, userId: carl, at: 0 },
      { after: 30, userId: anna, at: 0 },
    ])
    change(path, 'delete from commits where after = 30')
    expect(told(31)).toEqual([{ after: 20, userId: null, at: 0 }])
  })
})

it('a log in which this process wrote before another did is written under another epoch', () => {
  const { use } = setUp()
  const [first, second] = [newEpoch(), newEpoch()]
  use((log) => appendTo(log, opsFrom(1, 10)), first)
  use((log) => appendTo(log, opsFrom(11, 10)), second)
  // As if the copy that the second had written to was put back under the first.
  use((log) => {
    appendTo(log, opsFrom(21, 10))
    expect([first, second]).not.toContain(log.epoch)
    const holds = (cursor: number) => log.holds({ logId: log.logId, epoch: first, cursor })
    expect([holds(10), holds(15), holds(30)]).toEqual([true, false, false])
  }, first)
})

it('what is left of a log that lost rows can be listed', () => {
  const { path, use } = setUp()
  use((log) => appendTo(log, opsFrom(1, 5)))
  change(path, 'delete from tree_ops where seq = 3')
  const found: number[] = []
  const list = () => {
    for (const { seq } of storedOps(path)) found.push(seq)
  }
  expect(list).toThrow('operation 3 is missing')
  expect(found).toEqual([1, 2, 4, 5])
})
