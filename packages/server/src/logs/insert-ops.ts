import type { TreeOperation } from '@t69/protocol'
import type { Database, Statement } from 'better-sqlite3'

import { checksumOfRow, rowByOp } from './op-row.ts'
import type { StoredOpRow } from './space-schema.ts'

/** Rows that one statement inserts where there are many. */
const rowsAtOnce = 16

/** From so many operations on, preparing that statement takes less than it saves: some 60 µs, and 20 kB of each open file. */
const manyOps = 100

/**
 * Inserts operations as the rows after position `after`, in a transaction of the caller. To hand a value to SQLite takes about as
 * long as to write it. So operations of one peer in one tree, which mostly come together, share what they have in common, and one
 * statement inserts several.
 */
export function createOpInserter(db: Database): (ops: readonly TreeOperation[], after: number) => void {
  let one: Statement | undefined
  let several: Statement | undefined
  return (ops, after) => {
    for (let from = 0; from < ops.length;) {
      const isRun = ops.length >= manyOps && areAlike(ops, from, from + rowsAtOnce)
      const rows = ops.slice(from, from + (isRun ? rowsAtOnce : 1))
      const statement = isRun
        ? (several ??= db.prepare(insertOf(rowsAtOnce)))
        : (one ??= db.prepare(insertOf(1)))
      insert(statement, rows, after + from)
      from += rows.length
    }
  }
}

/** Whether there are so many operations, and all are of one peer in one tree. */
function areAlike(ops: readonly TreeOperation[], from: number, to: number): boolean {
  if (to > ops.length) return false
  const { peerId, treeId } = ops[from] ?? {}
  for (let at = from + 1; at < to; at++) {
    if (ops[at]?.peerId !== peerId || ops[at]?.treeId !== treeId) return false
  }
  return true
}

const own = (): string => '?'
const shared = (name: 'peerId' | 'treeId' | 'spaceId') => (): string => `@${name}`

/** The value of each column in row `nr` of a statement, from 1: its own, in the order of `insert`, or one that all of them share. */
const columns = {
  seq: (nr) => `@after + ${nr}`,
  clock: own,
  peerId: shared('peerId'),
  treeId: shared('treeId'),
  spaceId: shared('spaceId'),
  targetId: own,
  parentId: own,
  key: own,
  value: own,
  checksum: own,
} as const satisfies Record<keyof StoredOpRow, (nr: number) => string>

/** Inserts as many operations as the statement takes. */
function insert(statement: Statement, ops: readonly TreeOperation[], after: number): void {
  const values: unknown[] = []
  let seq = after
  for (const op of ops) {
    const row = rowByOp(op)
    values.push(row.clock, row.targetId, row.parentId, row.key, row.value, checksumOfRow(++seq, row))
  }
  const { peerId, treeId, spaceId } = ops[0] ?? {}
  statement.run(values, { after, peerId, treeId, spaceId })
}

function insertOf(rows: number): string {
  const names = Object.keys(columns).map((name) => `"${name}"`)
  const row = (nr: number): string =>
    `(${Object.values(columns)
      .map((valueOf) => valueOf(nr))
      .join(', ')})`
  return `insert into tree_ops (${names.join(', ')}) values ${Array.from({ length: rows }, (_, at) => row(at + 1)).join(', ')}`
}
