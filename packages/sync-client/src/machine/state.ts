import {
  limits,
  type ErrorBody,
  type LogId,
  type NotificationPayload,
  type RequestReply,
  type RoleName,
  type TreeOperation,
} from '@t69/protocol'

import type { OutboxSlice, RejectedEdit, SyncState } from '../storage/index.ts'
import { fullPace, type Pace } from './pace.ts'

/**
 * How one space comes to agree with the server, as a pure function: `step(machine, event)` (step.ts) gives
 * the next machine and what to do. At any time there is at most one storage transaction, one request and one
 * push under way.
 *
 *     register ─► join ─► pull … pull ─► queue what the log lacks ─► push, oldest first ◄─► appends
 *
 * What keeps the promises:
 * - `saved` is what storage has committed, never what is hoped for: it moves on `written` only.
 * - Operations are shown on `written`, after they and the cursor that covers them are on disk.
 * - An edit leaves the outbox (`settle`) once the own cursor covers the position at which it was committed.
 * - Nothing is pushed before the log was read to its end, and what it lacks is known.
 */
export interface SyncMachine {
  /** The space has been made on the server. False for one made here that has yet to be announced. */
  readonly registered: boolean
  readonly saved: SyncState
  readonly link: 'down' | 'up' | 'joined'
  readonly role: RoleName | null
  /** The log's end, as far as the server has told. */
  readonly head: number
  /** The log's end was reached since the last join. */
  readonly caughtUp: boolean
  /** What is stored here is not what the log has: it is read from its start again. */
  readonly distrusted: boolean

  /** Stretches of the log that have come and are not stored yet. */
  readonly inbox: readonly LogRange[]
  readonly write: Write | null
  readonly request: Request['kind'] | null
  readonly readingOutbox: boolean
  /** The outbox may hold something that was not pushed yet. */
  readonly unsent: boolean
  /** What was read from the outbox and is being pushed. */
  readonly push: Push | null
  /** Pushed and committed, still in the outbox until the cursor gets there. */
  readonly acked: Acked | null
  readonly budgetBytes: number
  /** How much a connection that breaks again and again is asked to carry at once. */
  readonly pullPace: Pace
  readonly pushPace: Pace

  /** Failures in a row; decides how long to wait. */
  readonly attempt: number
  /** Requests wait for `retry`. */
  readonly pause: ErrorBody | null
  /** Pushes wait, for `retry` or for the next join (another role, perhaps); pulling goes on. */
  readonly pushPause: { readonly until: 'retry' | 'join'; readonly error: ErrorBody } | null
  /** The server refuses the space; ends with the connection. */
  readonly blocked: ErrorBody | null
}

/** Positions `after + 1` to `cursor` of a log. */
export interface LogRange {
  readonly logId: LogId
  readonly epoch: NonNullable<SyncState['epoch']>
  readonly after: number
  readonly cursor: number
  readonly ops: readonly TreeOperation[]
}

export interface Push extends OutboxSlice {
  /** Of the same outbox entries, what the server has refused already. */
  readonly refused: readonly RejectedEdit[]
  /** How many of the operations may be sent at once, and how many are on their way, from the first on. */
  readonly most: number
  readonly sending: number
}

export interface Acked {
  readonly entries: readonly number[]
  readonly refused: readonly RejectedEdit[]
  readonly epoch: LogRange['epoch']
  readonly after: number
  readonly cursor: number
}

/** One storage transaction; `state` is what `saved` will be. */
export type Write =
  | { readonly kind: 'adopt-log'; readonly state: SyncState }
  | { readonly kind: 'append'; readonly ops: readonly TreeOperation[]; readonly state: SyncState }
  | {
      readonly kind: 'settle'
      readonly entries: readonly number[]
      readonly refused: readonly RejectedEdit[]
      readonly state: SyncState
    }
  | { readonly kind: 'queue-missing'; readonly logId: LogId; readonly state: SyncState }

export type Request =
  | { readonly kind: 'register' }
  | { readonly kind: 'join'; readonly from: SyncState }
  | { readonly kind: 'pull'; readonly after: number; readonly maxBytes: number }
  | { readonly kind: 'push'; readonly ops: readonly TreeOperation[] }

export type SyncEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected' }
  | { readonly type: 'registered' }
  | { readonly type: 'joined'; readonly reply: RequestReply<'space:join'> }
  | { readonly type: 'pulled'; readonly range: LogRange; readonly head: number }
  | { readonly type: 'pushed'; readonly ack: RequestReply<'ops:push'> }
  /** The request under way was refused. */
  | { readonly type: 'refused'; readonly error: ErrorBody }
  | { readonly type: 'appended'; readonly range: LogRange }
  | { readonly type: 'closed'; readonly reason: NotificationPayload<'space:closed'>['reason'] }
  | { readonly type: 'written' }
  | { readonly type: 'write-failed'; readonly error: ErrorBody }
  | { readonly type: 'outbox-read'; readonly slice: OutboxSlice | undefined }
  | { readonly type: 'outbox-failed'; readonly error: ErrorBody }
  /** Edits have been stored, in this tab or another. */
  | { readonly type: 'edited' }
  | { readonly type: 'retry' }
  /** A tree that was read from storage is not as the log has it. */
  | { readonly type: 'distrusted' }

export type Effect =
  | { readonly do: 'write'; readonly write: Write }
  | { readonly do: 'request'; readonly request: Request }
  | { readonly do: 'read-outbox'; readonly budgetBytes: number }
  /** They are stored: merge them into the open trees. */
  | { readonly do: 'show'; readonly ops: readonly TreeOperation[] }
  | { readonly do: 'retry-later'; readonly attempt: number; readonly retryAfterMs: number }
  /** The access token was refused: get a fresh one and connect anew. */
  | { readonly do: 'renew-session' }

export interface Step {
  readonly machine: SyncMachine
  readonly effects: readonly Effect[]
}

export function createSyncMachine(saved: SyncState, registered: boolean): SyncMachine {
  return {
    registered,
    saved,
    link: 'down',
    role: null,
    head: saved.cursor,
    caughtUp: false,
    distrusted: false,
    inbox: [],
    write: null,
    request: null,
    readingOutbox: false,
    unsent: true,
    push: null,
    acked: null,
    budgetBytes: limits.batchBudgetBytes,
    pullPace: fullPace,
    pushPace: fullPace,
    attempt: 0,
    pause: null,
    pushPause: null,
    blocked: null,
  }
}
