import { crc32 } from 'node:zlib'

import { type Commit, commitSchema, type UserId } from '@t69/protocol'

import { WrongContentError } from '../sqlite/storage-failure.ts'
import type { Contribution, LogRange } from './op-log.ts'

/** A row of the table of commits: who committed what comes after `after`, and when. */
export interface CommitRow {
  readonly after: number
  readonly at: number
  readonly user: UserId
}

/** The row with its checksum, which also names the row before it, and a mark in the last: one that is gone shows. */
export interface StoredCommitRow extends CommitRow {
  /** Null: older than checksums. */
  readonly checksum: number | null
  /** 1 in the last row, 0 in those before it. Null: older than marks. */
  readonly is_last: number | null
}

/**
 * The row after which others are written. Undefined if there is none, and if one that came after it is gone. Throws
 * `WrongContentError` if it has no position: damage can make that the column of another name.
 */
export function endOfCommits(last: StoredCommitRow | undefined): CommitRow | undefined {
  if (last !== undefined && !Number.isSafeInteger(last.after)) {
    throw new WrongContentError('a row of commits has no position')
  }
  return last === undefined || isCutOff(last) ? undefined : last
}

/** Whether the last row of the table was not the last. */
function isCutOff({ is_last: mark }: StoredCommitRow): boolean {
  return mark !== 1 && mark !== null
}

/** Whether some of the rows that are read are from before it showed that one is gone. `last` is the last of the table. */
export function areUnmarked(rows: readonly StoredCommitRow[], last: StoredCommitRow | undefined): boolean {
  return last?.is_last === null || rows.some((row) => row.checksum === null)
}

const minuteMs = 60_000

/**
 * The rows that contributions add after `last`, the newest row of a log that ends at `head`: one where the account
 * changes, or the minute. `at` is the time that is kept of each contribution. A row therefore costs nothing while one
 * person types.
 */
export function commitRows(
  contributions: readonly Contribution[],
  now: number,
  head: number,
  last: CommitRow | undefined,
): { readonly rows: readonly CommitRow[]; readonly at: readonly number[] } {
  const rows: CommitRow[] = []
  let after = head
  let current = last
  const at = contributions.map(({ userId, ops }) => {
    if (ops.length === 0) return now
    if (current?.user !== userId || minuteOf(current.at) !== minuteOf(now)) {
      current = { after, at: now, user: userId }
      rows.push(current)
    }
    after += ops.length
    return current.at
  })
  return { rows, at }
}

/** The rows as they are stored behind `last`. */
export function storedCommitRows(
  rows: readonly CommitRow[],
  last: CommitRow | undefined,
): (CommitRow & { readonly checksum: number; readonly is_last: number })[] {
  return rows.map((row, index) => ({
    ...row,
    checksum: checksumOf(row, rows[index - 1] ?? last),
    is_last: index === rows.length - 1 ? 1 : 0,
  }))
}

/** CRC-32 of a row, and of where the row before it begins. */
function checksumOf({ after, at, user }: CommitRow, before: CommitRow | undefined): number {
  return crc32(`${before?.after ?? '-'} ${after} ${at} ${user}`)
}

function follows(row: StoredCommitRow, before: CommitRow | undefined): boolean {
  return row.checksum === null || row.checksum === checksumOf(row, before)
}

/**
 * Who committed the operations of a range, at most `atMost` commits. `rows` are those of the table, in its order: from the
 * row before the one that the range begins in, to the first at or behind its end, or else the last of the table. What a damaged
 * row garbles is nobody's, as is what lies before it: nobody knows where that ended. It must not keep devices from
 * reading the operations.
 */
export function readCommits(
  rows: readonly StoredCommitRow[],
  { after, cursor }: LogRange,
  atMost: number,
): Commit[] {
  const commits: Commit[] = []
  if (after >= cursor) return commits
  const tell = (from: number, row: StoredCommitRow | undefined): void => {
    const read = commitSchema.safeParse({ after: from, userId: row?.user, at: row?.at })
    commits.push(read.success ? read.data : { after: from, userId: null, at: 0 })
  }
  for (const [index, row] of rows.entries()) {
    const next = rows[index + 1]
    if (row.after >= cursor || commits.length >= atMost) break
    if (next !== undefined && next.after <= after) continue
    if (commits.length === 0 && row.after > after) tell(after, undefined)
    const isWhole =
      follows(row, rows[index - 1]) && (next === undefined ? !isCutOff(row) : follows(next, row))
    tell(Math.max(after, row.after), isWhole ? row : undefined)
  }
  if (commits.length === 0) tell(after, undefined)
  return commits.slice(0, atMost)
}

function minuteOf(time: number): number {
  return Math.floor(time / minuteMs)
}
