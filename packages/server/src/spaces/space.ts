import type { Epoch, ErrorBody, LogId, RejectedOp, SpaceId, TreeOperation } from '@t69/protocol'

/** A log's id, newest epoch and head, at one moment. */
export interface LogState {
  readonly logId: LogId
  readonly epoch: Epoch
  readonly head: number
}

/** The result of a push, once it was committed or refused. */
export type PushOutcome =
  | (LogState & {
      readonly ok: true
      readonly after: number
      readonly cursor: number
      readonly duplicates: number
      readonly rejected: RejectedOp[]
    })
  | { readonly ok: false; readonly error: ErrorBody }

/** A page of the log: positions `after + 1` to `cursor`. */
export interface Page extends LogState {
  readonly after: number
  readonly cursor: number
  /** An encoded batch. */
  readonly batch: Uint8Array
}

/** Operations that were committed: positions `after + 1` to `cursor`. */
export interface Commit {
  readonly spaceId: SpaceId
  readonly logId: LogId
  readonly epoch: Epoch
  readonly after: number
  readonly cursor: number
  readonly ops: readonly TreeOperation[]
  /** The same operations, encoded, if the pusher's batch can be passed on as it is. */
  readonly batch?: Uint8Array | undefined
  /** The connection that pushed them. */
  readonly originId?: string | undefined
}

export interface Push {
  readonly ops: readonly TreeOperation[]
  /** The operations as they came, encoded. Passed on as it is when all of them are committed. */
  readonly batch?: Uint8Array
  readonly originId?: string
}

/** Called after each commit, in log order, never before it. */
export type Publish = (commit: Commit) => void

export interface JoinPosition {
  readonly logId?: LogId | undefined
  readonly epoch?: Epoch | undefined
  readonly cursor?: number | undefined
}

/** One space: admit, persist, ack, publish. Knows no socket, no HTTP and no SQL. */
export interface Space {
  readonly id: SpaceId
  readonly state: LogState
  /**
   * Where a device at `position` continues. `renewed` when the log turned out to have lost history and got a new id:
   * everybody else in the space has to join again. Throws `rate_limited` when the last new id is too recent.
   */
  join(position: JoinPosition): LogState & { readonly cursor: number; readonly renewed: boolean }
  /**
   * Admits operations and commits them with all other pushes of this turn of the event loop. Calls `settle` once, at
   * the commit, in log order with the publishing of other pushes: on one socket, acks and appends keep the log's order.
   */
  push(push: Push, settle: (outcome: PushOutcome) => void): void
  /** The page after `after`. Throws `storage_failed`, and `invalid_request` for a position after the head. */
  pull(after: number, maxBytes?: number): Page
}
