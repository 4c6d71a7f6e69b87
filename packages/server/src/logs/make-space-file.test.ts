import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'

import { migrate } from '../sqlite/migrate.ts'
import { spaceId } from '../testing/ops.ts'
import { makeSpaceFile, unfinished } from './make-space-file.ts'
import { spaceMigrations } from './space-schema.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 't69-make-'))
  path = join(folder, 'space.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const schemaOf = (db: Database.Database) => ({
  objects: db.prepare('select type, name, sql from sqlite_schema order by name').all(),
  version: db.pragma('user_version', { simple: true }),
})

it('makes the file that the migrations make, with a write-ahead log and the row of its space', () => {
  makeSpaceFile(path, { spaceId, now: 1_000 })
  const migrated = new Database(':memory:')
  migrate(migrated, spaceMigrations)
  const made = new Database(path, { fileMustExist: true })
  expect(schemaOf(made)).toEqual(schemaOf(migrated))
  expect(made.pragma('journal_mode', { simple: true })).toBe('wal')
  expect(made.pragma('integrity_check', { simple: true })).toBe('ok')
  expect(made.prepare('select id, created_at from spaces').all()).toEqual([
    { id: spaceId, created_at: 1_000 },
  ])
  made.close()
  migrated.close()
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
