import { readFileSync } from 'node:fs'

import Database from 'better-sqlite3'

import { setJournalMode } from './journal-mode.ts'
import { isOpen, sizeOf } from './set-aside.ts'
import { isDamage } from './storage-failure.ts'

/** Bytes of a file that is read into memory as a whole, twice: SQLite has a copy of its own. */
const maxInMemory = 16 * 1024 * 1024

/**
 * Says what is damaged in the database at `path`, as it is at one moment; undefined for a sound one. `examine` gets the
 * database opened for reading only: SQLite looks at a write-ahead log beside it, and changes neither file. Throws what
 * SQLite throws for a file that cannot be read at all.
 *
 * Where nobody else has the file open, SQLite makes a write-ahead log and its index, and leaves them there. So a file without
 * a log is looked at in memory first, and most turn out to be sound.
 */
export function damageIn(
  path: string,
  examine: (db: Database.Database) => string | undefined = integrityOf,
): string | undefined {
  if (isSoundInMemory(path, examine)) return undefined
  const open = (): Database.Database => new Database(path, { readonly: true, fileMustExist: true })
  try {
    return lookInto(open, examine)
  } catch (error) {
    if (isDamage(error)) return error.message
    throw error
  }
}

function isSoundInMemory(path: string, examine: (db: Database.Database) => string | undefined): boolean {
  const bytes = sizeOf(path)
  // Beside one that is open there is a log, though it may be empty. To close a file that was read takes SQLite's locks away.
  if (bytes === 0 || bytes > maxInMemory || isOpen(path)) return false
  try {
    const content = readFileSync(path)
    // SQLite refuses one that says it has a log, which memory cannot have.
    setJournalMode(content, 'rollback')
    return lookInto(() => new Database(content, { readonly: true }), examine) === undefined
  } catch {
    // Somebody may be writing to it.
    return false
  }
}

function lookInto(
  open: () => Database.Database,
  examine: (db: Database.Database) => string | undefined,
): string | undefined {
  const db = open()
  try {
    // One look at all of it, whatever is committed meanwhile.
    db.exec('begin')
    return examine(db)
  } finally {
    db.close()
  }
}

/** The first problem that SQLite finds in the whole database, in one line; undefined for none. */
export function integrityOf(db: Database.Database): string | undefined {
  const verdict = String(db.pragma('integrity_check(1)', { simple: true }))
  if (verdict === 'ok') return undefined
  return verdict.replace('*** in database main ***', '').replaceAll(/\s+/g, ' ').trim()
}
