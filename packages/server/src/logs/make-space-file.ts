import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

import { type LogId, randomHexId, type SpaceId } from '@t69/protocol'
import Database from 'better-sqlite3'

import { setJournalMode } from '../sqlite/journal-mode.ts'
import { migrate } from '../sqlite/migrate.ts'
import { syncFolder } from '../sqlite/set-aside.ts'
import { spaceQueries } from './space-queries.ts'
import { deletesIndexName, settledTableNames, spaceMigrations } from './space-schema.ts'

/** The ending of a file that is being made. One that a crash has left is overwritten by the next. */
export const unfinished = '.new'

/** Bytes of a page of a new file. Each of its tables takes one at least, and most spaces are small. */
const pageBytes = 2_048

let emptyFile: Buffer | undefined

/**
 * Makes the file of a space, with an empty log, at the present version. It is made in memory and written at once: two
 * flushes, of the file and of its folder, where SQLite takes ten for its journals. At `path` there is no file, or all of it.
 * Throws what the file system throws.
 */
export function makeSpaceFile(path: string, { spaceId, now }: { spaceId: SpaceId; now: number }): void {
  const db = new Database((emptyFile ??= makeEmpty()))
  try {
    spaceQueries.insertSpace(db).run({ id: spaceId, createdAt: now, logId: randomHexId() as LogId })
    const bytes = db.serialize()
    setJournalMode(bytes, 'write-ahead log')
    writeAtOnce(path, bytes)
  } finally {
    db.close()
  }
}

/** What the migrations make, without what a log makes when it needs it. */
function makeEmpty(): Buffer {
  const db = new Database(':memory:')
  db.pragma(`page_size = ${pageBytes}`)
  migrate(db, spaceMigrations)
  for (const name of settledTableNames) db.exec(`drop table ${name}`)
  db.exec(`drop index ${deletesIndexName}`)
  db.exec('vacuum')
  const bytes = db.serialize()
  db.close()
  return bytes
}

function writeAtOnce(path: string, bytes: Uint8Array): void {
  const making = path + unfinished
  try {
    const file = openSync(making, 'w')
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(making, path)
  } catch (error) {
    rmSync(making, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}
