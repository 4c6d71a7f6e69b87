import type { TreeOperation } from '@t69/protocol'
import Database from 'better-sqlite3'

import { createQueries } from '../sqlite/query.ts'
import { opByStoredRow } from './op-row.ts'
import { checkSegment, opsOf } from './segment.ts'
import type { SpaceSchema } from './space-schema.ts'

const query = createQueries<SpaceSchema>()
const allSegments = query((q) => q.selectFrom('segments').selectAll().orderBy('after'))
const allRows = query((q) => q.selectFrom('tree_ops').selectAll().orderBy('seq'))

export interface StoredOp {
  readonly seq: number
  /** Whether it is in a segment, and no row of `tree_ops`. */
  readonly isSettled: boolean
  readonly op: TreeOperation
}

/**
 * Every operation in the file of a space, in the order of the log, as it is at one moment. Only reads; a server may have the
 * file open. Throws `WrongContentError` where the content is not what was written, and what SQLite throws.
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
  for (const segment of allSegments(db).iterate({})) {
    checkSegment(segment)
    const ops = opsOf(segment)
    for (let at = 0; at < ops.count; at++) {
      yield { seq: segment.after + at + 1, isSettled: true, op: ops.opAt(at) }
    }
  }
  for (const row of allRows(db).iterate({})) yield { seq: row.seq, isSettled: false, op: opByStoredRow(row) }
}
