import Database from 'better-sqlite3'

import { isDamage } from './storage-failure.ts'

/**
 * Says what is damaged in the database at `path`; undefined for a sound one. `examine` gets the database opened for
 * reading only: SQLite looks at a write-ahead log beside it, and changes neither file. Throws what SQLite throws for a
 * file that cannot be read at all.
 */
export function damageIn(
  path: string,
  examine: (db: Database.Database) => string | undefined = integrityOf,
): string | undefined {
  let db: Database.Database | undefined
  try {
    db = new Database(path, { readonly: true, fileMustExist: true })
    return examine(db)
  } catch (error) {
    if (isDamage(error)) return error.message
    throw error
  } finally {
    db?.close()
  }
}

/** The first problem that SQLite finds in the whole database; undefined for none. */
export function integrityOf(db: Database.Database): string | undefined {
  const verdict = String(db.pragma('integrity_check(1)', { simple: true }))
  return verdict === 'ok' ? undefined : verdict
}
