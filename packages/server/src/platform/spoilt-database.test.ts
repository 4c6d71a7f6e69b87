import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { UserId } from '@t69/protocol'
import Sqlite, { type Database } from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'

import { StorageFailure } from '../sqlite/storage-failure.ts'
import { openPlatformDatabase } from './platform-database.ts'
import { openPlatform } from './platform.ts'
import { checkLog, spoiltBy } from './spoilt-database.ts'
import { createUsers } from './users.ts'

let dataDir: string
let path: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-spoilt-'))
  path = join(dataDir, 'platform.sqlite')
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const anna = { id: 'a'.repeat(32) as UserId, email: 'a@example.org', name: 'Anna', passwordHash: 'x' }
const ben = { ...anna, id: 'b'.repeat(32) as UserId, email: 'b@example.org' }

/** The users of an open database with Anna in it, which another program has open as well. */
function open() {
  const { db, files } = openPlatformDatabase(path)
  const users = createUsers(db, (email) => email)
  users.add(anna, 1)
  const shell = new Sqlite(path)
  return {
    db,
    users,
    shell,
    /** Writes as an operator may, so that SQLite looks at the files again. */
    writeByHand: () => void shell.exec('update users set created_at = created_at + 1'),
    [Symbol.dispose]() {
      shell.close()
      files.close()
    },
  }
}

function overwrite(file: string): void {
  const pages = openSync(file, 'r+')
  writeSync(pages, Buffer.alloc(statSync(file).size, 0xaa))
  closeSync(pages)
}

const emptied = (db: Database): void => void db.pragma('wal_checkpoint(TRUNCATE)')

it.each<[what: string, spoil: (db: Database, writeByHand: () => void) => void, code: string]>([
  [
    'whose write-ahead log was cut off',
    (_, writeByHand) => {
      writeByHand()
      truncateSync(`${path}-wal`, 0)
    },
    'SQLITE_IOERR_SHORT_READ',
  ],
  [
    'whose pages were overwritten',
    (db, writeByHand) => {
      writeByHand()
      emptied(db)
      overwrite(path)
    },
    'SQLITE_NOTADB',
  ],
  [
    'that another one was written over',
    (db, writeByHand) => {
      writeByHand()
      emptied(db)
      const other = new Sqlite(`${path}.other`)
      other.exec('create table notes (text)')
      other.pragma('journal_mode = WAL')
      other.close()
      copyFileSync(`${path}.other`, path)
    },
    'SQLITE_ERROR',
  ],
])('a platform database %s is noticed by the statement that meets it', (_, spoil, code) => {
  using opened = open()
  expect(spoiltBy(opened.db)).toBeUndefined()
  spoil(opened.db, opened.writeByHand)
  expect(() => opened.users.byId(anna.id)).toThrow(expect.objectContaining({ code }))
  expect(spoiltBy(opened.db)).toMatchObject({ code })
})

it.each<[what: string, refuse: (db: Database, shell: Database) => void, code: string]>([
  ['a disk is full', (db) => void db.pragma('max_page_count = 1'), 'SQLITE_FULL'],
  ['a file is read-only', (db) => void db.pragma('query_only = 1'), 'SQLITE_READONLY'],
  ['another program writes', (_, shell) => void shell.exec('begin immediate'), 'SQLITE_BUSY'],
])('a platform database is used on while %s', (_, refuse, code) => {
  using opened = open()
  refuse(opened.db, opened.shell)
  const long = { ...ben, name: 'x'.repeat(100_000) }
  expect(() => opened.users.add(long, 1)).toThrow(expect.objectContaining({ code }))
  expect(opened.users.byId(anna.id)).toMatchObject({ name: 'Anna' })
  checkLog(opened.db)
  expect(spoiltBy(opened.db)).toBeUndefined()
})

it('a platform whose write-ahead log is cut off is out of place before anybody reads, but not after a checkpoint', () => {
  const platform = openPlatform({ dataDir, refreshTokenTtlMs: 1000 })
  platform.users.add(anna, 1)
  const shell = new Sqlite(path)
  shell.pragma('wal_checkpoint(TRUNCATE)')
  expect(statSync(`${path}-wal`).size).toBe(0)
  platform.checkPlace()
  platform.users.add(ben, 1)
  platform.checkPlace()
  truncateSync(`${path}-wal`, statSync(`${path}-wal`).size - 1)
  expect(() => platform.checkPlace()).toThrow('its write-ahead log was cut off while it was in use')
  expect(() => platform.storedTimes.note(2)).toThrow('cut off')
  shell.close()
  platform.close()
})

it('a platform that has written behind the end of a cut log is out of place at the first read, and opens again with what the files have', () => {
  const platform = openPlatform({ dataDir, refreshTokenTtlMs: 1000 })
  platform.users.add(anna, 1)
  const shell = new Sqlite(path)
  shell.exec('pragma wal_checkpoint(TRUNCATE)')
  shell.exec('update users set created_at = created_at + 1')
  truncateSync(`${path}-wal`, 100)
  // Behind a hole, which reads as zeros from now on. None of them may get into the database.
  platform.storedTimes.note(2)
  platform.checkPlace()
  expect(() => platform.users.byId(anna.id)).toThrow('malformed')
  expect(() => platform.checkPlace()).toThrow(StorageFailure)
  expect(() => platform.storedTimes.note(3)).toThrow('malformed')
  shell.close()
  platform.close()
  const again = openPlatform({ dataDir, refreshTokenTtlMs: 1000 })
  expect(again.users.byId(anna.id)).toMatchObject({ name: 'Anna' })
  again.close()
})
