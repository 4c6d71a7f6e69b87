import { createPacker, limits, type SpaceId, type TreeOperation } from '@t69/protocol'

import { WrongContentError } from '../sqlite/storage-failure.ts'
import { opByStoredRow } from './op-row.ts'
import { isSmall, makeSegment, type StoredSegment } from './segment.ts'
import type { SettledOps } from './settled-ops.ts'
import type { SpaceStatements } from './space-queries.ts'
import type { StoredOpRow, TreeOpRow } from './space-schema.ts'

/** How many operations settle, and when. */
export interface Settling {
  /** The newest operations, which stay rows: a device that comes back soon is sent these. */
  readonly keepOps: number
  /** Operations beyond them that are worth a segment. */
  readonly minOps: number
  /** The most that settle at once. Bounds how long a thread is busy: some 5 µs each. */
  readonly maxOps: number
  /** Rows of a log above which it does not wait for a quiet moment. Default: `maxRows`. */
  readonly maxRows?: number
}

export const defaultSettling: Settling = { keepOps: 512, minOps: 1_024, maxOps: 4_096 }

/** Some 20 MB of a file. */
export const maxRows = 65_536

/**
 * The segment that takes the oldest rows: a new one, or the last one with rows added while it is less than three quarters of a page. So
 * each operation is packed a few times at most, and a segment is a page of some size. Undefined when there are no rows to take.
 */
export function nextSegment(given: {
  readonly statements: SpaceStatements
  readonly settled: SettledOps
  readonly spaceId: SpaceId
  readonly head: number
  readonly settling: Settling
}): StoredSegment | undefined {
  const { statements, settled, head, settling } = given
  const atMost = Math.min(head - settled.end - settling.keepOps, settling.maxOps)
  if (atMost <= 0) return undefined
  const rows = rowsToTake(statements, settled.end, atMost)
  const ops = rows.map(opByStoredRow)
  const { last } = settled
  const grown = last !== undefined && isSmall(last) ? pack(given, last.after, rows, ops) : undefined
  return grown ?? pack(given, settled.end, rows, ops)
}

/** The rows after a position, and no more of them than a page may take: all that are read are in memory, and a value may be large. */
function rowsToTake(statements: SpaceStatements, after: number, atMost: number): StoredOpRow[] {
  const rows: StoredOpRow[] = []
  let bytes = 0
  for (const row of statements.opsFrom.iterate({ after, atMost })) {
    rows.push(row)
    bytes += row.value?.length ?? 0
    if (bytes > limits.batchBudgetBytes) break
  }
  return rows
}

/** Packs what is settled after `after`, and as many of the rows as fit. Undefined if none does. */
function pack(
  { statements, settled, spaceId, head }: Parameters<typeof nextSegment>[0],
  after: number,
  rows: readonly TreeOpRow[],
  ops: readonly TreeOperation[],
): StoredSegment | undefined {
  const packer = createPacker(spaceId)
  const before = after < settled.end ? settled.openAt(after)?.ops : undefined
  for (let at = 0; before !== undefined && at < before.count; at++) {
    packer.add(before.opAt(at), before.valueTextAt(at))
  }
  const settledCount = packer.count
  if (settledCount !== settled.end - after) throw new WrongContentError('the last segment is not what it was')
  const end = endOfCommits(statements, after, head)
  for (const [index, op] of ops.entries()) {
    if (after + packer.count >= end) break
    if (!packer.add(op, rows[index]?.value ?? undefined)) break
  }
  if (packer.count === settledCount) return undefined
  return makeSegment(after, after + packer.count, packer.finish())
}

/** Where a page ends that begins after `after`, because it would tell of too many commits. */
function endOfCommits(statements: SpaceStatements, after: number, head: number): number {
  let commits = 1
  for (const row of statements.commitsBetween.iterate({ after, cursor: head })) {
    if (++commits > limits.maxCommitsPerPage) return row.after
  }
  return head
}
