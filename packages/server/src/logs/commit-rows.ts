import type { UserId } from '@t69/protocol'

import type { Contribution } from './op-log.ts'

/** A row of the table of commits: who committed what comes after `after`, and when. */
export interface CommitRow {
  readonly after: number
  readonly at: number
  readonly user: UserId
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

function minuteOf(time: number): number {
  return Math.floor(time / minuteMs)
}
