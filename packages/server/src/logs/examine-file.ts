import type { Database } from 'better-sqlite3'

import { damageIn, integrityOf } from '../sqlite/damage.ts'
import { spaceMigrations } from './space-schema.ts'

const knownVersion = Math.max(...Object.keys(spaceMigrations).map(Number))

/**
 * Says why a space's file, together with its write-ahead log, cannot be trusted; undefined for a sound one. Reads all
 * of it, about 1.5 µs an operation, and changes neither file: opened for reading, SQLite looks at the write-ahead log
 * and does not replay it. Throws what SQLite throws for a file that cannot be read at all.
 *
 * A log is only appended to, so a write-ahead log that belongs to a later state of the file shows: rows are missing,
 * or the index does not fit them. If neither is so, the two read as the file was at one moment or the other.
 */
export function examineFile(path: string): string | undefined {
  return damageIn(path, (db) => {
    const version = Number(db.pragma('user_version', { simple: true }))
    // Either just being created, or written by a newer program.
    if (version === 0 || version > knownVersion) return undefined
    return integrityOf(db) ?? damageOfLog(db)
  })
}

function damageOfLog(db: Database): string | undefined {
  const ops = db.prepare<[], OpCount>(countOps).get()
  if (ops === undefined) return undefined
  if (ops.count !== ops.head) return `${ops.head - ops.count} of ${ops.head} operations are missing`
  if (ops.begun > ops.head) return `an epoch began after ${ops.begun}, and the log ends at ${ops.head}`
  return ops.garbled > 0 ? `the values of ${ops.garbled} operations are not JSON` : undefined
}

interface OpCount {
  readonly count: number
  readonly head: number
  readonly garbled: number
  readonly begun: number
}

const countOps = `
  SELECT count(*) AS count, ifnull(max(seq), 0) AS head, count(value) - ifnull(sum(json_valid(value)), 0) AS garbled,
    (SELECT ifnull(max("after"), 0) FROM epochs) AS begun
  FROM tree_ops`
