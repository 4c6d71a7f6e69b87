import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'

import { migrate } from '../sqlite/migrate.ts'
import { appendTo, newEpoch, opsFrom, spaceId } from '../testing/ops.ts'
import { makeSpaceFile, unfinished } from './make-space-file.ts'
import {
  createDeletesIndex,
  createSettledTables,
  deletesIndexName,
  settledTableNames,
  spaceMigrations,
} from './space-schema.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 't69-make-'))
  path = join(folder, 'space.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Thing {
  readonly name: string
  readonly sql: string | null
}

function thingsIn(db: Database.Database): Thing[] {
  return db.prepare<[], Thing>('select name, sql from sqlite_schema order by name').all()
}

const isMadeLater = ({ name }: Thing): boolean =>
  name === deletesIndexName || settledTableNames.some((table) => table === name)

it('makes the file that the migrations make, with a write-ahead log and the row of its space', () => {
  makeSpaceFile(path, { spaceId, now: 1_000 })
  const migrated = new Database(':memory:')
  migrate(migrated, spaceMigrations)
  const made = new Database(path, { fileMustExist: true })
  expect(thingsIn(made)).toEqual(thingsIn(migrated).filter((thing) => !isMadeLater(thing)))
  expect(made.pragma('user_version')).toEqual(migrated.pragma('user_version'))
  expect(made.pragma('journal_mode', { simple: true })).toBe('wal')
  expect(made.pragma('integrity_check', { simple: true })).toBe('ok')
  expect(made.prepare('select id, created_at from spaces').all()).toEqual([
    { id: spaceId, created_at: 1_000 },
  ])
  made.close()
  migrated.close()
})

it('makes later what the migrations make too, with the same columns and keys', () => {
  const shapeOf = (db: Database.Database) => ({
    columns: settledTableNames.map((name) => db.pragma(`table_xinfo(${name})`)),
    kinds: db
      .prepare("select name, ncol, wr, strict from pragma_table_list where schema = 'main' order by name")
      .all(),
    indexes: thingsIn(db).filter(isMadeLater).length,
    deletes: db.prepare('select sql from sqlite_schema where name = ?').get(deletesIndexName),
  })
  makeSpaceFile(path, { spaceId, now: 1_000 })
  const made = new Database(path)
  made.exec(createSettledTables)
  made.exec(createDeletesIndex)
  const migrated = new Database(':memory:')
  migrate(migrated, spaceMigrations)
  expect(shapeOf(made)).toEqual(shapeOf(migrated))
  expect(shapeOf(made).indexes).toBe(5)
  made.close()
  migrated.close()
})

it('takes 12 KiB for a space that is empty, and no more for ten short texts', () => {
  makeSpaceFile(path, { spaceId, now: 1_000 })
  expect(statSync(path).size).toBe(12 * 1_024)
  const opLogs = createSqliteOpLogs({ dataDir: folder, synchronous: 'normal' })
  const log = opLogs.open(spaceId, newEpoch())
  for (const op of opsFrom(1, 10)) appendTo(log, [op])
  log.close()
  expect(opLogs.bytesOf(spaceId)).toBe(12 * 1_024)
})

it('gives each log an id of its own, and overwrites what a crash has left', () => {
  writeFileSync(path + unfinished, 'half of a file')
  makeSpaceFile(path, { spaceId, now: 1_000 })
  const other = join(folder, 'other.db')
  makeSpaceFile(other, { spaceId, now: 1_000 })
  expect(readdirSync(folder).toSorted()).toEqual(['other.db', 'space.db'])
  const ids = [path, other].map((file) => {
    const db = new Database(file)
    const id = db.prepare('select log_id from spaces').pluck().get()
    db.close()
    return id
  })
  expect(new Set(ids).size).toBe(2)
})

it('leaves nothing behind when the file cannot be written', () => {
  const missing = join(folder, 'missing', 'space.db')
  expect(() => makeSpaceFile(missing, { spaceId, now: 1_000 })).toThrow('ENOENT')
  expect(statSync(missing, { throwIfNoEntry: false })).toBeUndefined()
  // A folder is in the way of the name.
  expect(() => makeSpaceFile(folder, { spaceId, now: 1_000 })).toThrow(/EISDIR|ENOTEMPTY|EEXIST/)
  expect(statSync(folder + unfinished, { throwIfNoEntry: false })).toBeUndefined()
})
