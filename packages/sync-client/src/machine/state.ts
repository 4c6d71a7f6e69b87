import {
  limits,
  type AccessId,
  type ErrorBody,
  type LogId,
  type NotificationPayload,
  type RequestReply,
  type RoleName,
  type SpaceIdentity,
  type SpaceSeal,
  type TreeOperation,
} from '@t69/protocol'

import type { AttestedRun, KeptSeal, OutboxSlice, RejectedEdit, SyncState } from '../storage/index.ts'
import { fullPace, type Pace } from './pace.ts'

/**
 * How one space comes to agree with the server, as a pure function: `step(machine, event)` (step.ts) returns the
 * next machine and the effects to carry out. At any time there is at most one storage transaction, one request and
 * one push under way.
 *
 *     register ─► join with a page ─► pull … pull ─► queue what the log lacks ─► push, oldest first ◄─► appends
 *
 * These rules keep the promises:
 * - `saved` is what the storage has committed: it changes on `written` only.
 * - Operations are shown on `written`, when they are on disk together with the cursor that covers them.
 * - An edit leaves the outbox (`settle`) once this device's cursor covers the position at which it was committed.
 * - Nothing is pushed before the log has been read to its end, when it is known what the log lacks.
 * - Nothing is sent before the server's space has proved to be this one (`isThisSpace` in reduce.ts): not by its id, which
 *   anybody may register, but by its identity.
 * - A seal is stored before anything that the server says after it.
 */
export interface SyncMachine {
  /** The server knows the space. False for one that was created here and is not registered yet. */
  readonly registered: boolean
  /** The identity that the server has given to this device's registration, until a join stores it. */
  readonly claimed: SpaceIdentity | null
  /** This device holds no operation of the space, so that there is nothing that another space could get. */
  readonly isBare: boolean
  readonly saved: SyncState
  /** The stored seal. */
  readonly seal: KeptSeal | null
  /** The seal to be stored in place of `seal`, or null to remove it; undefined while there is no change. */
  readonly nextSeal: KeptSeal | null | undefined
  /** The refusal that is answered by showing the seal to the server, or null. */
  readonly proving: ErrorBody | null
  /** The seal that was shown to the server over this connection. */
  readonly shownSeal: AccessId | null
  /** What is stored once `nextSeal` is: the state with which the log of a join begins, or that the user has chosen. */
  readonly adopting: SyncState | null
  readonly link: 'down' | 'up' | 'joined'
  readonly role: RoleName | null
  /** The end of the log, as far as the server has told. */
  readonly head: number
  /** The end of the log was reached since the last join. */
  readonly caughtUp: boolean
  /**
   * This device holds operations that the log lacks, and its user may not push: the server has lost them. They are no edits
   * that wait. Devices of editors bring them back, or this one after a join with another role: until then, the
   * reconciliation goes on, so that what arrives counts as received.
   */
  readonly holdsBack: boolean
  /** The stored operations do not match the log: the log is read from its start again. */
  readonly distrusted: boolean

  /** Ranges of the log that have arrived and are not stored yet. */
  readonly inbox: readonly LogRange[]
  readonly write: Write | null
  readonly request: Request['kind'] | null
  readonly readingOutbox: boolean
  /** The outbox may hold edits that were not pushed yet. */
  readonly unsent: boolean
  /** The edits that were read from the outbox and are being pushed. */
  readonly push: Push | null
  /** Edits that the server has committed. They stay in the outbox until the cursor gets there. */
  readonly acked: Acked | null
  /** How much of the outbox is read at once, in bytes of a batch. */
  readonly budgetBytes: number
  /** How much is sent at once over a connection that breaks again and again. */
  readonly pullPace: Pace
  readonly pushPace: Pace

  /** How many failures there were in a row. Decides how long to wait before `retry`. */
  readonly attempt: number
  /** Why transactions and requests wait for `retry`, or null. */
  readonly pause: ErrorBody | null
  /** Why pushes wait for `retry`, or for the next join (which may bring another role), or null. Pulls continue. */
  readonly pushPause: { readonly until: 'retry' | 'join'; readonly error: ErrorBody } | null
  /** Why the server refuses the space, or null. Cleared when the connection ends. */
  readonly blocked: ErrorBody | null
  /** Whether the server is asked again, although it has refused the space: its owner may have registered it again. */
  readonly asksAgain: boolean
}

/** The operations at positions `after + 1` to `cursor` of a log. */
export interface LogRange {
  readonly logId: LogId
  readonly epoch: NonNullable<SyncState['epoch']>
  readonly after: number
  readonly cursor: number
  readonly ops: readonly TreeOperation[]
  /** Who committed them. */
  readonly attested: readonly AttestedRun[]
}

/** Entries of the outbox on their way to the server; `ops` are the operations that have not been acked yet. */
export interface Push extends Pick<OutboxSlice, 'entries' | 'ops'> {
  /** The batch of the operations; undefined once they are others than were read. */
  readonly batch: Uint8Array<ArrayBuffer> | undefined
  /** The operations of these entries that the server has refused so far. */
  readonly refused: readonly RejectedEdit[]
  /** How many operations may be sent at once. */
  readonly most: number
  /** How many operations are under way, counted from the first. */
  readonly sending: number
}

/** Edits that the server committed at positions `after + 1` to `cursor`, or refused. */
export interface Acked {
  readonly entries: readonly number[]
  readonly refused: readonly RejectedEdit[]
  /** The edits as those of this device's user. */
  readonly attested: readonly AttestedRun[]
  readonly epoch: LogRange['epoch']
  readonly after: number
  readonly cursor: number
}

/** One storage transaction. `saved` becomes `state` when it is committed. */
export type Write =
  | { readonly kind: 'adopt-log'; readonly state: SyncState }
  | {
      readonly kind: 'append'
      readonly ops: readonly TreeOperation[]
      readonly attested: readonly AttestedRun[]
      readonly state: SyncState
    }
  | {
      readonly kind: 'settle'
      readonly entries: readonly number[]
      readonly refused: readonly RejectedEdit[]
      readonly attested: readonly AttestedRun[]
      readonly state: SyncState
    }
  | { readonly kind: 'keep-seal'; readonly seal: KeptSeal | null; readonly state: SyncState }
  | {
      readonly kind: 'queue-missing'
      readonly logId: LogId
      /** False for a user who may not push: the reconciliation ends only if the log lacks nothing. */
      readonly mayQueue: boolean
      readonly state: SyncState
    }

export type Request =
  /** With a seal: shows it to a server that lacks the space, or its latest members. */
  | { readonly kind: 'register'; readonly seal: KeptSeal | null }
  /** The reply may have the first page, of up to `maxBytes`. */
  | {
      readonly kind: 'join'
      readonly from: SyncState
      readonly accessId: AccessId | null
      readonly maxBytes: number
    }
  | { readonly kind: 'pull'; readonly after: number; readonly maxBytes: number }
  /** `batch` has these operations; undefined where they are to be encoded. */
  | {
      readonly kind: 'push'
      readonly ops: readonly TreeOperation[]
      readonly batch: Uint8Array<ArrayBuffer> | undefined
    }

export type SyncEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected' }
  | { readonly type: 'registered'; readonly identity: SpaceIdentity }
  | {
      readonly type: 'joined'
      readonly reply: Omit<RequestReply<'space:join'>, 'page'>
      /** The page after the cursor of the reply. */
      readonly page?: LogRange | undefined
    }
  | { readonly type: 'pulled'; readonly range: LogRange; readonly head: number }
  | {
      readonly type: 'pushed'
      readonly ack: RequestReply<'ops:push'>
      /** The operations that the ack commits, as those of this device's user. */
      readonly attested: readonly AttestedRun[]
    }
  /** The request under way was refused. */
  | { readonly type: 'refused'; readonly error: ErrorBody }
  | { readonly type: 'appended'; readonly range: LogRange }
  | { readonly type: 'sealed'; readonly seal: SpaceSeal }
  /** The user has said that this device's copy is to go to the space of this identity. */
  | { readonly type: 'chosen'; readonly identity: SpaceIdentity }
  | { readonly type: 'closed'; readonly reason: NotificationPayload<'space:closed'>['reason'] }
  /** `heldBack`: the log lacks operations that this user may not push, and nothing was written. */
  | { readonly type: 'written'; readonly heldBack?: boolean }
  | { readonly type: 'write-failed'; readonly error: ErrorBody }
  | { readonly type: 'outbox-read'; readonly slice: OutboxSlice | undefined }
  | { readonly type: 'outbox-failed'; readonly error: ErrorBody }
  /** Edits were stored, in this tab or in another. */
  | { readonly type: 'edited' }
  | { readonly type: 'retry' }
  /** A tree that was read from storage does not match the log. */
  | { readonly type: 'distrusted' }

export type Effect =
  | { readonly do: 'write'; readonly write: Write }
  | { readonly do: 'request'; readonly request: Request }
  | { readonly do: 'read-outbox'; readonly budgetBytes: number }
  /** Merge these operations into the open trees. They are stored. */
  | {
      readonly do: 'show'
      readonly ops: readonly TreeOperation[]
      readonly attested: readonly AttestedRun[]
    }
  | { readonly do: 'retry-later'; readonly attempt: number; readonly retryAfterMs: number }
  /** Leave the room: the space in it is another one. */
  | { readonly do: 'leave' }
  /** The access token was refused: get a fresh one and reconnect. */
  | { readonly do: 'renew-session' }

export interface Step {
  readonly machine: SyncMachine
  readonly effects: readonly Effect[]
}

/** What is known of a space when its syncing begins. */
export type MachineStart = Pick<SyncMachine, 'saved' | 'registered'> &
  Partial<Pick<SyncMachine, 'seal' | 'isBare'>>

export function createSyncMachine({
  saved,
  registered,
  seal = null,
  isBare = false,
}: MachineStart): SyncMachine {
  return {
    registered,
    claimed: null,
    isBare,
    saved,
    seal,
    nextSeal: undefined,
    proving: null,
    shownSeal: null,
    adopting: null,
    link: 'down',
    role: null,
    head: saved.cursor,
    caughtUp: false,
    holdsBack: false,
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
    asksAgain: false,
  }
}
