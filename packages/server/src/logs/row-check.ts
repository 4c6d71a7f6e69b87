import { WrongContentError } from '../sqlite/storage-failure.ts'
import type { LogRange } from './op-log.ts'
import type { SpaceStatements } from './space-queries.ts'

/** Rows that are checked in one step: some 5 ms. */
const rowsAtOnce = 4_096

/**
 * Checks that the indexes find the rows of a log, since one that has lost an entry has an operation let in twice. Each call
 * checks some thousands of the rows in a range, which is that of all rows there are now, and tells whether all were. Throws
 * `WrongContentError`.
 */
export function createRowCheck(statements: SpaceStatements): (rows: LogRange) => boolean {
  let checked = 0
  let isDone = false

  function checkRange(range: LogRange): void {
    const rows = range.cursor - range.after
    const found = statements.idsFound.get(range)?.count ?? 0
    if (found !== rows) {
      throw new WrongContentError(
        `${found} of ${rows} operations after ${range.after} are found by their ids`,
      )
    }
    const deletions = statements.deletesIn.get(range)?.count ?? 0
    const foundDeletions = hasDeletesIndex(statements) ? (statements.deletesFound.get(range)?.count ?? 0) : 0
    if (foundDeletions !== deletions) {
      throw new WrongContentError(
        `${foundDeletions} of ${deletions} deletions after ${range.after} are found`,
      )
    }
  }

  return ({ after, cursor }) => {
    if (isDone) return true
    // What settles meanwhile is no row any more.
    const from = Math.max(checked, after)
    const through = Math.min(from + rowsAtOnce, cursor)
    if (through > from) checkRange({ after: from, cursor: through })
    checked = through
    return (isDone = !(checked < cursor))
  }
}

/** Whether something was deleted in the rows, or has been: the index is made with the first deletion. */
export function hasDeletesIndex(statements: SpaceStatements): boolean {
  return statements.deletesIndex.get({}) !== undefined
}
