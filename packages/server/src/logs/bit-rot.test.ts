import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'

import { type SpaceId, SyncError, type TreeOperation } from '@t69/protocol'
import Database from 'better-sqlite3'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'

import { StorageFailure } from '../sqlite/storage-failure.ts'
import { anybody, moveOp, newEpoch, setOp, spaceId, treeId } from '../testing/ops.ts'
import type { OpLog } from './op-log.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

/** Flipped bits. Set BIT_FLIPS=1000 for the long run, and BIT_SEED for another one. */
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
  const log = opLogs.open(spaceId, newEpoch())
  for (let first = 1; first < 1_200; first += 100) {
    log.append([{ userId: anybody, ops: drawn(first) }], first * 60_000)
  }
  while (log.isUnsettled) log.settle()
  contents = contentsOf(log)
  log.close()
  original = join(folder, 'original', spaceId.slice(0, 2), `${spaceId}.db`)
})
afterAll(() => rmSync(folder, { recursive: true }))

function drawn(first: number): TreeOperation[] {
  return Array.from({ length: 100 }, (_, index) => {
    const clock = first + index
    const where = { peer: `p${clock % 3}`, tree: clock % 4 === 0 ? 'b' : treeId, target: `v${clock % 50}` }
    return clock % 7 === 0
      ? moveOp(clock, clock % 2 === 0 ? '0' : 'parent', where)
      : setOp(clock, `text ${clock}`, where)
  })
}

interface Contents {
  readonly ops: TreeOperation[]
  readonly tree: TreeOperation[]
  /** What the log says of each operation, and of one that has its id and other content. */
  readonly verdicts: (string | undefined)[]
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
  }
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
        return isDeepStrictEqual(contentsOf(log, contents.ops), contents) ? 'harmless' : 'other'
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

it('a value of another type is damage too, whichever column has it', () => {
  const wrong: string[] = []
  for (const { table, column } of columns()) {
    for (const value of ['null', '1.5', "'text'", "x'00'"]) {
      const name = `${table}.${column} = ${value}`
      const outcome = outcomeOf('retyped', (path) => retype(path, { table, column, value }))
      if (outcome === 'other') wrong.push(name)
    }
  }
  expect(wrong).toEqual([])
})
