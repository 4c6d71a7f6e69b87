import { randomHexId, SyncError } from '@t69/protocol'

/** Another tab leads now, and has written: what this one believes of the log is not to be stored any more. */
export class SupersededError extends SyncError {
  constructor() {
    super('unavailable', 'Another tab syncs now')
  }
}

/**
 * The time for which one tab leads. Its first write ends every other term, in the transaction that it is of;
 * from then on a write of an earlier term changes nothing. A lock alone cannot see to that: a tab that was
 * frozen finds out late that it was taken.
 */
export class LeaderTerm {
  readonly id = randomHexId()
  #hasBegun = false

  /** Within the transaction that writes: whether its term is to be noted, given the one that is noted. */
  begins(noted: unknown): boolean {
    if (noted === this.id) return false
    if (this.#hasBegun) throw new SupersededError()
    return true
  }

  /** A transaction of this term is on disk. */
  committed(): void {
    this.#hasBegun = true
  }
}
