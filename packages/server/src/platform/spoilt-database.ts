import Sqlite, { type Database } from 'better-sqlite3'

import { sizeOf } from '../sqlite/set-aside.ts'
import { WrongContentError } from '../sqlite/storage-failure.ts'

/**
 * Databases that this process cannot go on with, and what SQLite said. What SQLite has in memory of them no longer fits the
 * files: the write-ahead log was cut off or overwritten under it, say. Each statement fails from then on, until the database
 * is opened anew.
 */
const spoilt = new WeakMap<Database, Error>()

/** What was found when the files of an open database turned out to be spoilt; undefined for one that can be used. */
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
 * Notes that the database is spoilt if its write-ahead log is shorter than SQLite knows it to be. A checkpoint by another
 * program shortens it too, and then SQLite knows. Takes some 20 µs. Never throws.
 */
export function checkLog(db: Database): void {
  const isCut = (): boolean => sizeOf(`${db.name}-wal`) < knownLogBytes(db)
  try {
    noticing(db, () => {
      // Another program may have ended a checkpoint between the two looks.
      if (isCut() && isCut())
        throw new WrongContentError('its write-ahead log was cut off while it was in use')
    })
  } catch {
    // It is noted, or passes by itself.
  }
}

/** Bytes of the write-ahead log as SQLite has it in memory: a header, and each frame with one of its own. */
function knownLogBytes(db: Database): number {
  const frames = db.prepare<[], { log: number }>('pragma wal_checkpoint(NOOP)').get()?.log ?? 0
  const pageBytes = Number(db.pragma('page_size', { simple: true }))
  return frames > 0 ? 32 + frames * (24 + pageBytes) : 0
}

/**
 * Whether only opening the database anew can help. Not so while another program holds a lock, or where the disk is full,
 * read-only or out of order: what was read before can be read still, and the rest once that is over.
 */
function needsReopening(error: unknown): error is Error {
  if (error instanceof WrongContentError) return true
  if (!(error instanceof Sqlite.SqliteError)) return false
  // The statements are fixed, and fitted the schema when they were prepared.
  if (error.code === 'SQLITE_ERROR') return /^no such (?:table|column)/.test(error.message)
  return /^SQLITE_(?:CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(error.code)
}
