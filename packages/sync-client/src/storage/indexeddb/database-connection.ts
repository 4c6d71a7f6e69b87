import { SyncError } from '@t69/protocol'

import type { LocalDb } from './local-db-schema.ts'
import { isDeadConnection, storageError } from './storage-error.ts'

/**
 * Runs work on the database, and repeats it once on a fresh connection if the present one turns out to be dead. Work is
 * one transaction, which has changed nothing if it failed, or several that may be repeated.
 */
export class DatabaseConnection {
  readonly db: LocalDb
  #generation = 0
  #reopening: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(db: LocalDb) {
    this.db = db
  }

  async run<T>(work: (db: LocalDb) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new SyncError('storage_failed', 'The storage is closed.')
    const generation = this.#generation
    try {
      return await work(this.db)
    } catch (error) {
      if (this.#isClosed || !isDeadConnection(error)) throw storageError(error)
      this.#reopen(generation)
    }
    try {
      await this.#reopening
      return await work(this.db)
    } catch (error) {
      throw storageError(error)
    }
  }

  close(): void {
    this.#isClosed = true
    this.db.close()
  }

  /** Replaces the connection once, for the first of the calls that fail on it together. */
  #reopen(generation: number): void {
    if (generation !== this.#generation) return
    this.#generation += 1
    this.db.close({ disableAutoOpen: false })
    this.#reopening = Promise.resolve(this.db.open())
    // The calls that await it get the error. Without any, it is no unhandled rejection.
    this.#reopening.catch(() => undefined)
  }
}
