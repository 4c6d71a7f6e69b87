import Sqlite, { type Database } from 'better-sqlite3'

/**
 * Databases that this process cannot go on with, and what SQLite said. What SQLite has in memory of them no longer fits the
 * files: the write-ahead log was cut off or overwritten under it, say. Each statement fails from then on, until the database
 * is opened anew.
 */
const spoilt = new WeakMap<Database, Error>()

/** What SQLite said when it found the files of an open database spoilt; undefined for one that can be used. */
export function spoiltBy(db: Database): Error | undefined {
  return spoilt.get(db)
}

/**
 * Runs a statement, and notes if it finds that the database is spoilt. Throws what the statement throws. Once the database
 * is spoilt, throws that again, and runs nothing: what is written then may lie behind a hole.
 */
export function noticing<Result>(db: Database, run: () => Result): Result {
  const known = spoilt.get(db)
  if (known !== undefined) throw known
  try {
    return run()
  } catch (error) {
    if (needsReopening(error)) spoilt.set(db, error)
    throw error
  }
}

/**
 * Whether only opening the database anew can help. Not so while another program holds a lock, or where the disk is full,
 * read-only or out of order: what was read before can be read still, and the rest once that is over.
 */
function needsReopening(error: unknown): error is Error {
  if (!(error instanceof Sqlite.SqliteError)) return false
  // The statements are fixed, and fitted the schema when they were prepared.
  if (error.code === 'SQLITE_ERROR') return /^no such (?:table|column)/.test(error.message)
  return /^SQLITE_(?:CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(error.code)
}
