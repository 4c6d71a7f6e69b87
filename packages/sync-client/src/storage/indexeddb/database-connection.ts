import { SyncError } from '@t69/protocol'

import type { LocalDb } from './local-db-schema.ts'
import { isDeadConnection, storageError } from './storage-error.ts'

/**
 * Runs work on the database, and once more on a fresh connection when the one at hand turns out dead.
 * Work is one transaction, or several that may be repeated: one that failed has changed nothing.
 */
export class Connection {
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

  /** Of many that fail together on one connection, the first replaces it. */
  #reopen(generation: number): void {
    if (generation !== this.#generation) return
    this.#generation += 1
    this.db.close({ disableAutoOpen: false })
    this.#reopening = Promise.resolve(this.db.open())
    // Whoever awaits it gets the error; nobody else should hear of it.
    this.#reopening.catch(() => undefined)
  }
}
