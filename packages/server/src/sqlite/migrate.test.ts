import Database from 'better-sqlite3'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'

import { migrate, type Migrations, NewerSchemaError } from './migrate.ts'

const first: Migrations = {
  1: ({ schema }) => [schema.createTable('a').addColumn('x', 'integer', (column) => column.notNull())],
}
const second: Migrations = {
  ...first,
  2: (db) => [
    db.schema.alterTable('a').addColumn('y', 'text'),
    { compile: () => sql`UPDATE a SET y = 'was ' || x`.compile(db) },
  ],
}

const versionOf = (db: Database.Database) => db.pragma('user_version', { simple: true })

describe('migrating', () => {
  it('goes from any version to the newest, and keeps the data', () => {
    const db = new Database(':memory:')
    migrate(db, first)
    expect(versionOf(db)).toBe(1)
    db.exec('INSERT INTO a (x) VALUES (5)')
    migrate(db, second)
    migrate(db, second)
    expect(versionOf(db)).toBe(2)
    expect(db.prepare('SELECT * FROM a').all()).toEqual([{ x: 5, y: 'was 5' }])
  })

  it('leaves the database as it was when a migration fails', () => {
    const db = new Database(':memory:')
    migrate(db, first)
    const broken: Migrations = {
      ...first,
      2: ({ schema }) => [schema.createTable('b').addColumn('z', 'integer'), schema.dropTable('missing')],
    }
    expect(() => migrate(db, broken)).toThrow('no such table')
    expect(versionOf(db)).toBe(1)
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()).toEqual([{ name: 'a' }])
  })

  it('does not touch a database that is newer than every migration', () => {
    const db = new Database(':memory:')
    migrate(db, second)
    expect(() => migrate(db, first)).toThrow(NewerSchemaError)
    expect(versionOf(db)).toBe(2)
  })
})
