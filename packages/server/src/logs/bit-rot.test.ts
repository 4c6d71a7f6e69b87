import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'

import {
  type Commit,
  type SpaceId,
  SyncError,
  treeIdSchema,
  type TreeOperation,
  vertexIdSchema,
} from '@t69/protocol'
import Database from 'better-sqlite3'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'

import { StorageFailure } from '../sqlite/storage-failure.ts'
import { anybody, moveOp, newEpoch, newUserId, setOp, spaceId, treeId } from '../testing/ops.ts'
import type { OpLog } from './op-log.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

/** Flipped bits: of the whole file, and a third as many of each table. Set BIT_FLIPS=1000 for the long run, and BIT_SEED for another one. */
const flips = Number(process.env['BIT_FLIPS'] ?? 60)
const seed = Number(process.env['BIT_SEED'] ?? 1)

const settling = { keepOps: 300, minOps: 1, maxOps: 500 }
const roomy = { maxOps: 1_000_000, maxBytes: 1e9 }

let folder: string
let original: string
let contents: Contents

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 't69-rot-'))
  const opLogs = createSqliteOpLogs({ dataDir: join(folder, 'original'), settling })
  for (const [index, epoch] of epochs.entries()) {
    const log = opLogs.open(spaceId, epoch)
    for (let first = index * 300 + 1; first < (index + 1) * 300; first += 100) {
      log.append([{ userId: first % 3 === 0 ? anybody : somebody, ops: drawn(first) }], first * 60_000)
    }
    while (log.isUnsettled) log.settle()
    log.close()
  }
  const log = opLogs.open(spaceId, newEpoch())
  contents = contentsOf(log)
  log.close()
  original = join(folder, 'original', spaceId.slice(0, 2), `${spaceId}.db`)
})
afterAll(() => rmSync(folder, { recursive: true }))

function drawn(first: number): TreeOperation[] {
  return Array.from({ length: 100 }, (_, index) => {
    const clock = first + index
    const where = {
      peer: `p${clock % 3}`,
      tree: clock % 4 === 0 ? otherTree : treeId,
      target: `v${clock % 50}`,
    }
    return clock % 7 === 0
      ? moveOp(clock, clock % 2 === 0 ? '0' : 'parent', where)
      : setOp(clock, `text ${clock}`, where)
  })
}

const somebody = newUserId()
/** Processes that committed, one after another. */
const epochs = Array.from({ length: 4 }, newEpoch)
const otherTree = treeIdSchema.parse('b')
/** Those that the operations name, and one more. */
const vertices = Array.from({ length: 51 }, (_, nr) => vertexIdSchema.parse(`v${nr}`))

interface Contents {
  readonly ops: TreeOperation[]
  readonly tree: TreeOperation[]
  /** What the log says of each operation, and of one that has its id and other content. */
  readonly verdicts: (string | undefined)[]
  readonly maxClocks: number[]
  readonly deleted: boolean[]
  /** Whether the log holds positions around those where processes began to commit to it. */
  readonly held: boolean[]
  readonly commits: Commit[]
}

function contentsOf(log: OpLog, ops = log.read(0, roomy)): Contents {
  const asked = ops.flatMap((op) => [
    op,
    { ...moveOp(op.clock, 'other'), peerId: op.peerId, treeId: op.treeId },
  ])
  const verdicts = log.lookUp(asked)
  return {
    ops: log.read(0, roomy),
    tree: log.readTree(treeId).ops,
    verdicts: asked.map((op) => verdicts.get(op)),
    maxClocks: [treeId, otherTree].map((tree) => log.maxClock(tree)),
    deleted: [treeId, otherTree].flatMap((tree) =>
      vertices.map((targetId) => log.wasDeleted({ treeId: tree, targetId })),
    ),
    held: [...epochs, newEpoch()].flatMap((epoch) =>
      [1, 300, 301, 600, 601, 900, 901, 1_200].map((cursor) =>
        log.holds({ logId: log.logId, epoch, cursor }),
      ),
    ),
    commits: log.commits({ after: 0, cursor: log.head }, 1_000),
  }
}

/** Whether everything is as it was, but for authors that are no longer known. */
function isTrue({ commits: told, ...rest }: Contents): boolean {
  const { commits, ...others } = contents
  const at = (list: readonly Commit[], position: number) => list.findLast((commit) => commit.after < position)
  return (
    isDeepStrictEqual(rest, others) &&
    rest.ops.every((_, index) => {
      const [known, found] = [at(commits, index + 1), at(told, index + 1)]
      return found?.userId === null
        ? found.at === 0
        : found?.userId === known?.userId && found?.at === known?.at
    })
  )
}

type Outcome = 'harmless' | 'set aside' | 'refused' | 'other'

function flip(path: string, bit: number): void {
  const bytes = readFileSync(path)
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  writeFileSync(path, bytes)
}

/** What becomes of the file with that damage, as servers use it. */
function outcomeOf(name: string, damage: (path: string) => void): Outcome {
  const dataDir = join(folder, name)
  const path = join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
  mkdirSync(dirname(path), { recursive: true })
  copyFileSync(original, path)
  damage(path)
  const warnings: object[] = []
  const known = Object.assign(new Set<SpaceId>([spaceId]), { identityOf: () => undefined })
  const opLogs = createSqliteOpLogs({
    dataDir,
    synchronous: 'normal',
    settling,
    known,
    warn: (details) => void warnings.push(details),
  })
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      let log: OpLog | undefined
      try {
        log = opLogs.open(spaceId, newEpoch())
        if (log.head === 0) return warnings.length > 0 ? 'set aside' : 'other'
        return isTrue(contentsOf(log, contents.ops)) ? 'harmless' : 'other'
      } catch (error) {
        // The operator is told which file, and why.
        if (!(error instanceof SyncError) || !(error.cause instanceof StorageFailure)) throw error
      } finally {
        log?.close()
      }
    }
    return 'refused'
  } finally {
    rmSync(dataDir, { recursive: true })
  }
}

it(`a file in which one bit rots is as it was, or is set aside, or is refused, and gives out nothing else (${flips} bits)`, () => {
  const size = readFileSync(original).length * 8
  const bits = fc.sample(fc.nat(size - 1), { numRuns: flips, seed })
  const outcomes = new Map<Outcome, number[]>()
  for (const bit of bits) {
    const outcome = outcomeOf(String(bit), (path) => flip(path, bit))
    outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), bit])
  }
  expect(outcomes.get('other') ?? []).toEqual([])
  if (flips > 60)
    console.log(Object.fromEntries([...outcomes].map(([outcome, found]) => [outcome, found.length])))
})

it.each([
  'commits',
  'epochs',
  'sqlite_schema',
  'sqlite_autoindex_tree_ops_1',
  'tree_ops_deletes',
  'settled_ids',
  'settled_trees',
  'settled_deletes',
])(`a bit that rots in %s changes nothing that the log says (${flips / 3} bits)`, (table) => {
  const db = new Database(original, { readonly: true })
  const pages = db
    .prepare<[string], { start: number; end: number }>(
      'select pgoffset as start, pgoffset + pgsize as end from dbstat where name = ?',
    )
    .all(table)
  db.close()
  const file = readFileSync(original)
  // What is zero is the room that is left on a page.
  const bytes = pages.flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, index) => start + index).filter((at) => file[at] !== 0),
  )
  const bits = fc.sample(fc.nat(bytes.length * 8 - 1), { numRuns: flips / 3, seed })
  const wrong = bits
    .map((bit) => ((bytes[bit >> 3] ?? 0) << 3) | (bit & 7))
    .filter((bit) => outcomeOf(String(bit), (path) => flip(path, bit)) === 'other')
  expect(wrong).toEqual([])
})

it('a row of what was deleted whose header says that it has no columns is damage', () => {
  const db = new Database(original, { readonly: true })
  const page = db
    .prepare<[], number>("select pgoffset from dbstat where name = 'settled_deletes' and pagetype = 'leaf'")
    .pluck()
    .get()
  db.close()
  if (page === undefined) throw new Error('nothing is deleted')
  const file = readFileSync(original)
  // SQLite's format of a page: 8 bytes, then where each row is; and of a row: its length, then that of its header.
  const headers = Array.from(
    { length: 20 },
    (_, row) => page + file.readUInt16BE(page + 8 + (row + 15) * 2) + 1,
  )
  expect(headers.map((at) => file[at])).toEqual(headers.map(() => 4))
  const wrong = headers.filter((at) => outcomeOf(String(at), (path) => flip(path, at * 8 + 2)) === 'other')
  expect(wrong).toEqual([])
})

interface Retyped {
  readonly table: string
  readonly column: string
  readonly value: string
}

/** Sets a column of a table, also to what it does not take. */
function retype(path: string, { table, column, value }: Retyped): void {
  const db = new Database(path)
  try {
    const ofTable = "from sqlite_schema where type = 'table' and name = ?"
    const sql = String(db.prepare(`select sql ${ofTable}`).pluck().get(table))
    const setSql = "update sqlite_schema set sql = ? where type = 'table' and name = ?"
    const loose = sql
      .replaceAll(' not null', '')
      .replaceAll(' text', ' blob')
      .replace(/\bstrict(?:, )?/, '')
    db.unsafeMode()
    db.pragma('writable_schema = on')
    db.prepare(setSql).run(loose, table)
    db.pragma('writable_schema = reset')
    db.exec(`update or ignore ${table} set "${column}" = ${value}`)
    db.pragma('writable_schema = on')
    db.prepare(setSql).run(sql, table)
  } catch (error) {
    // A key of rows cannot be anything but a number.
    if (!(error instanceof Database.SqliteError) || error.code !== 'SQLITE_MISMATCH') throw error
  } finally {
    db.close()
  }
}

function columns(): { table: string; column: string }[] {
  const db = new Database(original, { readonly: true })
  try {
    return db
      .prepare<[], { table: string; column: string }>(
        'select t.name as "table", c.name as "column" from sqlite_schema t join pragma_table_info(t.name) c ' +
          "where t.type = 'table' order by 1, 2",
      )
      .all()
  } finally {
    db.close()
  }
}

const asBytes = 'what it was, as bytes'

it.each(['null', '1.5', "'text'", "x'00'", asBytes])(
  'a value of another type is damage too, whichever column has it: %s',
  (value) => {
    const wrong = columns()
      .filter(
        ({ table, column }) =>
          outcomeOf('retyped', (path) =>
            retype(path, { table, column, value: value === asBytes ? `cast("${column}" as blob)` : value }),
          ) === 'other',
      )
      .map(({ table, column }) => `${table}.${column}`)
    expect(wrong).toEqual([])
  },
)

it('a column whose name is written otherwise changes nothing that the log says', () => {
  const wrong = columns()
    .filter(({ table, column }) => {
      const other = column.replace(/^./, (letter) => letter.toUpperCase())
      return (
        outcomeOf('renamed', (path) => {
          const db = new Database(path)
          db.unsafeMode()
          db.pragma('writable_schema = on')
          db.prepare('update sqlite_schema set sql = replace(sql, ?, ?) where name = ?').run(
            `"${column}"`,
            `"${other}"`,
            table,
          )
          db.close()
        }) === 'other'
      )
    })
    .map(({ table, column }) => `${table}.${column}`)
  expect(wrong).toEqual([])
})
