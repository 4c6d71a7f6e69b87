import { randomHexId, SyncError } from '@t69/protocol'

/** Another tab leads now, and has written: this tab's view of the log must not be stored any more. */
export class SupersededError extends SyncError {
  constructor() {
    super('unavailable', 'Another tab syncs now')
  }
}

/**
 * The time during which one tab leads. The first write of a term ends every other term, within the same transaction:
 * from then on a write of an earlier term changes nothing. A lock alone cannot ensure that, because a frozen tab learns
 * late that it has lost the lock.
 */
export class LeaderTerm {
  readonly id = randomHexId()
  #hasBegun = false

  /**
   * Called within a transaction that writes, with the term that is stored. Returns whether this term has to be stored
   * instead. Throws `SupersededError` if another tab's term has begun since.
   */
  begins(storedId: unknown): boolean {
    if (storedId === this.id) return false
    if (this.#hasBegun) throw new SupersededError()
    return true
  }

  /** A transaction of this term is on disk. */
  committed(): void {
    this.#hasBegun = true
  }
}
