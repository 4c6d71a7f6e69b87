import type { TreeOperation } from '@t69/protocol'
import Database from 'better-sqlite3'
import { sql } from 'kysely'

import { createQueries } from '../sqlite/query.ts'
import { WrongContentError } from '../sqlite/storage-failure.ts'
import { opByStoredRow } from './op-row.ts'
import { checkSegment, opsOf } from './segment.ts'
import { hasSettledTables } from './settled-queries.ts'
import type { SpaceSchema } from './space-schema.ts'

const query = createQueries<SpaceSchema>()
const allSegments = query((q) => q.selectFrom('segments').selectAll().orderBy('after'))
const lastEpoch = query((q) =>
  q.selectFrom('epochs').select('after').orderBy('after', 'desc').limit(sql.lit(1)),
)
const allRows = query((q) => q.selectFrom('tree_ops').selectAll().orderBy('seq'))

export interface StoredOp {
  readonly seq: number
  /** Whether it is in a segment, and no row of `tree_ops`. */
  readonly isSettled: boolean
  readonly op: TreeOperation
}

/**
 * Every operation in the file of a space, in the order of the log, as it is at one moment. Only reads; a server may have the
 * file open. Throws `WrongContentError` where the content is not what was written, and what SQLite throws. That operations
 * are missing is said after all that are there.
 */
export function* storedOps(path: string): Generator<StoredOp> {
  const db = new Database(path, { readonly: true, fileMustExist: true })
  try {
    db.exec('begin')
    yield* storedOpsIn(db)
  } finally {
    db.close()
  }
}

/** The same of a file that is open, in a transaction of the caller. */
export function* storedOpsIn(db: Database.Database): Generator<StoredOp> {
  let seq = 0
  let missing: number | undefined
  for (const segment of hasSettledTables(db) ? allSegments(db).iterate({}) : []) {
    checkSegment(segment)
    const ops = opsOf(segment)
    for (let at = 0; at < ops.count; at++) yield { seq: ++seq, isSettled: true, op: ops.opAt(at) }
  }
  for (const row of allRows(db).iterate({})) {
    if (row.seq !== seq + 1) missing ??= seq + 1
    seq = row.seq
    yield { seq, isSettled: false, op: opByStoredRow(row) }
  }
  if (missing !== undefined) throw new WrongContentError(`operation ${missing} is missing`)
  const begun = lastEpoch(db).get({})?.after ?? -1
  if (begun >= seq) throw new WrongContentError(`an epoch began after ${begun}, and the log ends at ${seq}`)
}
