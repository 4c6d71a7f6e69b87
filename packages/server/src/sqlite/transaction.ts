import type { Database, Transaction } from 'better-sqlite3'

/**
 * A transaction that is set up when it runs first: better-sqlite3 prepares nine statements for the first one of a file, which
 * takes some 100 µs, and most uses of a file only read.
 */
export function transactionWhenUsed<Given extends unknown[], Result>(
  db: Database,
  mode: 'deferred' | 'immediate',
  run: (...given: Given) => Result,
): (...given: Given) => Result {
  let transaction: Transaction<typeof run> | undefined
  return (...given) => (transaction ??= db.transaction(run))[mode](...given)
}
