import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'

import Database from 'better-sqlite3'

import { isDamage } from './storage-failure.ts'

/**
 * Whether SQLite refused to write to the database at `path` though nobody forbids it: its header names a version of the
 * format that does not exist, and SQLite takes it for a file of the future, to be read only.
 */
export function isWronglyReadOnly(error: unknown, path: string): boolean {
  if (!(error instanceof Database.SqliteError) || error.code !== 'SQLITE_READONLY') return false
  const files = ['', '-wal', '-shm'].map((suffix) => path + suffix).filter((file) => existsSync(file))
  try {
    for (const file of [dirname(path), ...files]) accessSync(file, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Says why the database at `path` cannot be written though it can be read; undefined if it can be, or may not be. A wrong
 * bit in its header may say that it is read-only, or where its free pages are. Writes, and takes it back.
 */
export function writeProblem(path: string): string | undefined {
  const db = new Database(path, { timeout: 0, fileMustExist: true })
  try {
    db.exec(
      `begin immediate; create table probe (page); insert into probe values (zeroblob(20000)); rollback`,
    )
    return undefined
  } catch (error) {
    if (isWronglyReadOnly(error, path)) return 'its header says that it is read-only'
    return isDamage(error) ? error.message : undefined
  } finally {
    db.close()
  }
}
