import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { damageIn } from './damage.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 't69-damage-'))
  path = join(folder, 'some.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function make(): Database.Database {
  const db = new Database(path)
  db.pragma('journal_mode = wal')
  db.exec('create table words (word text not null)')
  return db
}

const words = (db: Database.Database): string =>
  JSON.stringify(db.prepare('select word from words').pluck().all())

describe('looking for damage', () => {
  it('leaves no files beside a database that nobody has open', () => {
    make().close()
    expect(damageIn(path)).toBeUndefined()
    expect(readdirSync(folder)).toEqual(['some.db'])
  })

  it('sees what is in the write-ahead log of a database that is open', () => {
    const db = make()
    db.exec("insert into words values ('new')")
    expect(damageIn(path, words)).toBe('["new"]')
    db.close()
  })

  it('sees one moment of a database that is written to meanwhile', () => {
    const db = make()
    db.exec("insert into words values ('first')")
    const seen = damageIn(path, (reading) => {
      const before = words(reading)
      db.exec("insert into words values ('second')")
      return before === words(reading) ? undefined : 'it has changed'
    })
    db.close()
    expect(seen).toBeUndefined()
  })

  it('finds it, and changes nothing', () => {
    const db = make()
    const insert = db.prepare("insert into words values ('word')")
    for (let index = 0; index < 10_000; index++) insert.run()
    db.close()
    const bytes = readFileSync(path)
    bytes.fill(0xff, 8_192, 8_256)
    writeFileSync(path, bytes)
    expect(damageIn(path)).toMatch(/page|cell|btree/i)
    expect(readFileSync(path).equals(bytes)).toBe(true)
  })
})
