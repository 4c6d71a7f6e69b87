import type { Commit, Epoch, ErrorBody, LogId, RejectedOp, SpaceId, UserId } from '@t69/protocol'

import type { JoinPosition, LogState } from '../storage/storage.ts'

/** The result of a push, once it was committed or refused. */
export type PushOutcome =
  | (LogState & {
      readonly ok: true
      readonly after: number
      readonly cursor: number
      /** When it was committed, in Unix milliseconds. */
      readonly at: number
      readonly duplicates: number
      readonly rejected: RejectedOp[]
    })
  | { readonly ok: false; readonly error: ErrorBody }

/** A page of the log: positions `after + 1` to `cursor`. */
export interface Page {
  readonly after: number
  readonly cursor: number
  /** An encoded batch. */
  readonly batch: Uint8Array
  /** Who committed its operations. */
  readonly commits: Commit[]
}

/** What one push committed: positions `after + 1` to `cursor`. */
export interface CommittedPush {
  readonly spaceId: SpaceId
  readonly logId: LogId
  readonly epoch: Epoch
  readonly after: number
  readonly cursor: number
  readonly userId: UserId
  /** When it was committed, in Unix milliseconds. */
  readonly at: number
  /** The committed operations, encoded. */
  readonly batch: Uint8Array
  /** The connection that pushed them. */
  readonly originId?: string | undefined
}

export interface Push {
  /** Who pushes, as the server knows it. */
  readonly userId: UserId
  /** As it came, and not yet validated. Passed on as it is when all of it is committed. */
  readonly batch: Uint8Array
  /** How many operations it says that it has. */
  readonly count: number
  readonly originId?: string
  /**
   * Throws if the push may no longer be committed. Called when its group is handed to the storage: its sender may have
   * been removed while it waited.
   */
  readonly checkAgain?: () => void
}

/** What a device asks that joins a space. */
export interface Joining {
  readonly position: JoinPosition
  /** Asks for a page. Default: none. */
  readonly page?: PullBounds | undefined
}

export interface JoinOptions extends Pick<Joining, 'page'> {
  /**
   * Called when the log turned out to have lost history and got a new id, as soon as `state` has it: everybody else in the
   * space has to join again.
   */
  readonly renewed?: () => void
}

export interface Joined {
  readonly cursor: number
  /** The page after the cursor. None if nothing is missing, or it cannot be read now. */
  readonly page: Page | undefined
}

export interface PullBounds {
  /** Bytes of the page. Default: as many as a page may have. */
  readonly maxBytes?: number | undefined
  /** Default: false. */
  readonly takesCompressed?: boolean
}

/** Called after each commit, in log order, never before it. */
export type Publish = (commit: CommittedPush) => void

/** One space: persist, publish, ack. Knows no socket, no HTTP and no SQL. */
export interface Space {
  readonly id: SpaceId
  /**
   * The log as of what was published last. It changes in the same turn in which a commit is acked and published, so that
   * whoever reads it and enters a room in one turn misses nothing.
   */
  readonly state: LogState
  /**
   * Where a device at `position` continues, with what it lacks. Rejects with `rate_limited` when the log has lost history
   * and the last new id is too recent.
   */
  join(position: JoinPosition, options?: JoinOptions): Promise<Joined>
  /**
   * Admits operations and commits them with all other pushes that wait by then. Calls `settle` once, in log order with
   * the publishing of other pushes: on one socket, acks and appends keep the log's order.
   */
  push(push: Push, settle: (outcome: PushOutcome) => void): void
  /**
   * The page after `after`, whose batch may be compressed if the reader takes that. Rejects with `storage_failed`, and
   * `invalid_request` for a position after the head.
   */
  pull(after: number, bounds?: PullBounds): Promise<Page>
}
