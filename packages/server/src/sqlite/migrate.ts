import type { Database } from 'better-sqlite3'
import type { Compilable, Kysely } from 'kysely'

import { compiler } from './compiler.ts'

/**
 * A step from one version of a schema to the next. Migrations go forward only, and are never edited once released.
 * Kysely's own Migrator is not used: it is asynchronous and keeps its history in two tables, which would cost each
 * of thousands of space files several queries at every opening. `PRAGMA user_version` costs one read of the file's
 * first page, and lets a file be opened and migrated in one synchronous step.
 */
export type Migration = (db: Kysely<unknown>) => readonly Compilable[]

/** Migrations by the version that each leads to, from 1 without gaps. */
export type Migrations = Readonly<Record<number, Migration>>

/** The file was written by a newer program, and is not changed. */
export class NewerSchemaError extends Error {
  override readonly name = 'NewerSchemaError'

  constructor(version: number, known: number) {
    super(`its schema has version ${version}, and this program knows none after ${known}`)
  }
}

/** Brings the database to the newest version, in one transaction. Throws `NewerSchemaError`. */
export function migrate(db: Database, migrations: Migrations): void {
  const latest = latestOf(migrations)
  if (versionOf(db) === latest) return
  const run = db.transaction(() => {
    // Read again under the write lock: another process may have been faster.
    const version = versionOf(db)
    if (version > latest) throw new NewerSchemaError(version, latest)
    for (let next = version + 1; next <= latest; next++) {
      const migration = migrations[next]
      if (migration === undefined) throw new Error(`migration ${next} is missing`)
      for (const statement of migration(compiler)) db.exec(statement.compile().sql)
    }
    db.pragma(`user_version = ${latest}`)
  })
  run.immediate()
}

/** Whether the database has the newest version. */
export function isAtVersion(db: Database, migrations: Migrations): boolean {
  return versionOf(db) === latestOf(migrations)
}

function latestOf(migrations: Migrations): number {
  return Math.max(...Object.keys(migrations).map(Number))
}

function versionOf(db: Database): number {
  return Number(db.pragma('user_version', { simple: true }))
}
