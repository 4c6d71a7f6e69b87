import {
  errorCodes,
  limits,
  type ErrorBody,
  type LogId,
  type NotificationPayload,
  type RequestReply,
  type Role,
  type TreeOperation,
} from '@t69/protocol'

import type { OutboxSlice, RejectedEdit, SyncState } from './storage.ts'

/**
 * How one space comes to agree with the server, as a pure function: `step(machine, event)` gives the next
 * machine and what to do. An event only notes facts; `decide` then looks at all of them and starts what is
 * due. At any time there is at most one storage transaction, one request and one push under way.
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
  readonly role: Role | null
  /** The log's end, as far as the server has told. */
  readonly head: number
  /** The log's end was reached since the last join. */
  readonly caughtUp: boolean

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

interface Push extends OutboxSlice {
  /** Of the same outbox entries, what the server has refused already. */
  readonly refused: readonly RejectedEdit[]
}

interface Acked {
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
  | { readonly kind: 'pull'; readonly after: number }
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

/** The state of a space that has not met its log yet. */
export const unsynced: SyncState = { logId: null, epoch: null, cursor: 0, reconciling: true }

/** More stretches than this in the inbox are dropped, and pulled once storage has kept up. */
const maxInbox = 64

export function createSyncMachine(saved: SyncState, registered: boolean): SyncMachine {
  return {
    registered,
    saved,
    link: 'down',
    role: null,
    head: saved.cursor,
    caughtUp: false,
    inbox: [],
    write: null,
    request: null,
    readingOutbox: false,
    unsent: true,
    push: null,
    acked: null,
    budgetBytes: limits.batchBudgetBytes,
    attempt: 0,
    pause: null,
    pushPause: null,
    blocked: null,
  }
}

export function step(before: SyncMachine, event: SyncEvent): Step {
  const noted = note(before, event)
  const decided = decide(noted.machine)
  return { machine: decided.machine, effects: [...noted.effects, ...decided.effects] }
}

const only = (machine: SyncMachine): Step => ({ machine, effects: [] })

function note(machine: SyncMachine, event: SyncEvent): Step {
  switch (event.type) {
    case 'connected':
      return only({ ...disconnected(machine), link: 'up' })
    case 'disconnected':
      return only(disconnected(machine))
    case 'registered':
      return only({ ...machine, request: null, registered: true })
    case 'joined':
      return joined(machine, event.reply)
    case 'pulled':
      return only(pulled({ ...machine, request: null }, event.range, event.head))
    case 'pushed':
      return only(pushed({ ...machine, request: null }, event.ack))
    case 'refused':
      return refused({ ...machine, request: null }, machine.request, event.error)
    case 'appended':
      return only(appended(machine, event.range))
    case 'closed':
      return closed(machine, event.reason)
    case 'written':
      return written(machine)
    case 'write-failed':
      // What was to be written is lost, not the need for it: the next join and `acked` say what is missing.
      return later({ ...rejoin(machine), write: null }, event.error)
    case 'outbox-read':
      return only({
        ...machine,
        readingOutbox: false,
        // More may be behind it; an edit that came during the read has set `unsent` again as well.
        unsent: machine.unsent || event.slice !== undefined,
        push: event.slice === undefined ? null : { ...event.slice, refused: [] },
      })
    case 'outbox-failed':
      return later({ ...machine, readingOutbox: false, unsent: true }, event.error)
    case 'edited':
      return only({ ...machine, unsent: true })
    case 'retry':
      return only({
        ...machine,
        pause: null,
        pushPause: machine.pushPause?.until === 'retry' ? null : machine.pushPause,
      })
  }
}

/**
 * What the connection had under way is void. A transaction goes on, and so does what was acked: under the
 * same log id, a committed position stays committed.
 */
function disconnected(machine: SyncMachine): SyncMachine {
  return {
    ...machine,
    link: 'down',
    caughtUp: false,
    inbox: [],
    request: null,
    push: null,
    unsent: true,
    pause: null,
    pushPause: null,
    blocked: null,
  }
}

function joined(machine: SyncMachine, { logId, epoch, cursor, head, role }: JoinReply): Step {
  const inbox = machine.inbox.filter((range) => range.logId === logId)
  const inside: SyncMachine = {
    ...machine,
    link: 'joined',
    request: null,
    role,
    inbox,
    head: Math.max(head, ...inbox.map((range) => range.cursor)),
    caughtUp: false,
    pushPause: role === 'viewer' ? { until: 'join', error: viewersOnlyRead } : null,
  }
  if (logId === machine.saved.logId && cursor === machine.saved.cursor) return only(inside)
  // Another log: what it holds of ours is known at its end. That we do not know it yet is written down
  // before the first page is, or a crash in between would leave a cursor without its reconciliation.
  const write: Write = { kind: 'adopt-log', state: { logId, epoch, cursor, reconciling: true } }
  return { machine: { ...inside, acked: null, write }, effects: [{ do: 'write', write }] }
}

type JoinReply = RequestReply<'space:join'>

const viewersOnlyRead: ErrorBody = {
  code: 'forbidden',
  message: 'You can read this space, but not change it. Your edits stay on this device.',
}

function pulled(machine: SyncMachine, range: LogRange, head: number): SyncMachine {
  if (range.logId !== machine.saved.logId) return rejoin(machine)
  // An empty page is the log's end, whatever was believed of it.
  const end = range.cursor === range.after ? range.cursor : Math.max(machine.head, head)
  return { ...machine, head: end, inbox: [...machine.inbox, range] }
}

function appended(machine: SyncMachine, range: LogRange): SyncMachine {
  // The answer to a join and the first append may come in one packet; the append is kept until then.
  if (machine.request === 'join') return { ...machine, inbox: [...machine.inbox, range] }
  if (machine.link !== 'joined') return machine
  if (range.logId !== (machine.write?.state ?? machine.saved).logId) return rejoin(machine)
  const inbox = machine.inbox.length < maxInbox ? [...machine.inbox, range] : machine.inbox
  return { ...machine, inbox, head: Math.max(machine.head, range.cursor) }
}

function pushed(machine: SyncMachine, ack: RequestReply<'ops:push'>): SyncMachine {
  const { push } = machine
  if (push === null) return machine
  if (ack.logId !== machine.saved.logId) return rejoin(machine)
  const refused = ack.rejected.flatMap(({ index, code, message }) => {
    const op = push.ops[index]
    return op === undefined ? [] : [{ op, code, message }]
  })
  return {
    ...machine,
    push: null,
    acked: {
      entries: push.entries,
      refused: [...push.refused, ...refused],
      epoch: ack.epoch,
      after: ack.after,
      cursor: ack.cursor,
    },
    head: Math.max(machine.head, ack.cursor),
    budgetBytes: limits.batchBudgetBytes,
    attempt: 0,
    pushPause: null,
  }
}

function written(machine: SyncMachine): Step {
  const { write } = machine
  if (write === null) return only(machine)
  const after: SyncMachine = {
    ...machine,
    write: null,
    saved: write.state,
    acked: write.kind === 'settle' ? null : machine.acked,
    attempt: machine.pushPause === null ? 0 : machine.attempt,
  }
  const effects: Effect[] =
    write.kind === 'append' && write.ops.length > 0 ? [{ do: 'show', ops: write.ops }] : []
  return { machine: after, effects }
}

function closed(machine: SyncMachine, reason: NotificationPayload<'space:closed'>['reason']): Step {
  switch (reason) {
    case 'changed':
      return only(rejoin(machine))
    case 'unavailable':
      return later(rejoin(machine), {
        code: 'unavailable',
        message: 'The server cannot serve this space now',
      })
    case 'removed':
      return only(block(machine, { code: 'forbidden', message: 'You are no longer a member of this space' }))
    case 'deleted':
      return only(block(machine, { code: 'not_found', message: 'This space was deleted' }))
  }
}

function refused(machine: SyncMachine, request: Request['kind'] | null, error: ErrorBody): Step {
  switch (errorCodes[error.code].retry) {
    case 'later':
      return request === 'push' ? pushLater(machine, error) : later(machine, error)
    case 'rejoin':
      return only(rejoin(machine))
    case 'renew':
      return { machine: disconnected(machine), effects: [{ do: 'renew-session' }] }
    case 'never':
      return only(request === 'push' ? pushRefused(machine, error) : block(machine, error))
  }
}

function pushRefused(machine: SyncMachine, error: ErrorBody): SyncMachine {
  const { push } = machine
  if (push === null) return machine
  switch (error.code) {
    case 'invalid_batch':
    case 'op_conflict':
    case 'clock_out_of_range':
      return withoutOp(machine, push, error)
    case 'too_large':
      return narrower(machine, push, error)
    case 'forbidden':
      return { ...machine, push: null, unsent: true, pushPause: { until: 'join', error } }
    default:
      return block(machine, error)
  }
}

/** Files the operation that the server named, and pushes the others. */
function withoutOp(machine: SyncMachine, push: Push, error: ErrorBody): SyncMachine {
  const op = typeof error.at === 'number' ? push.ops[error.at] : undefined
  if (op === undefined) return narrower(machine, push, error)
  const refused = [...push.refused, { op, code: error.code, message: error.message }]
  return settledWhenEmpty(machine, { ...push, ops: push.ops.filter((other) => other !== op), refused })
}

/** Finds what the server cannot take by sending less at once; the last entry that remains is it. */
function narrower(machine: SyncMachine, push: Push, error: ErrorBody): SyncMachine {
  if (push.entries.length > 1) {
    return { ...machine, push: null, unsent: true, budgetBytes: Math.ceil(machine.budgetBytes / 2) }
  }
  const refused = push.ops.map((op) => ({ op, code: error.code, message: error.message }))
  return settledWhenEmpty(machine, { ...push, ops: [], refused: [...push.refused, ...refused] })
}

function settledWhenEmpty(machine: SyncMachine, push: Push): SyncMachine {
  const { epoch, cursor } = machine.saved
  if (push.ops.length > 0 || epoch === null) return { ...machine, push }
  const { entries, refused } = push
  return { ...machine, push: null, unsent: true, acked: { entries, refused, epoch, after: cursor, cursor } }
}

function rejoin(machine: SyncMachine): SyncMachine {
  if (machine.link === 'down') return machine
  return { ...machine, link: 'up', caughtUp: false, inbox: [], request: null, push: null, unsent: true }
}

function block(machine: SyncMachine, error: ErrorBody): SyncMachine {
  return { ...rejoin(machine), blocked: error }
}

function later(machine: SyncMachine, error: ErrorBody): Step {
  return {
    machine: { ...machine, attempt: machine.attempt + 1, pause: error },
    effects: [retryLater(machine, error)],
  }
}

function pushLater(machine: SyncMachine, error: ErrorBody): Step {
  return {
    machine: {
      ...machine,
      push: null,
      unsent: true,
      attempt: machine.attempt + 1,
      pushPause: { until: 'retry', error },
    },
    effects: [retryLater(machine, error)],
  }
}

const retryLater = (machine: SyncMachine, error: ErrorBody): Effect => ({
  do: 'retry-later',
  attempt: machine.attempt,
  retryAfterMs: error.retryAfterMs ?? 0,
})

/** Starts what is due: a transaction, then a request, if none is under way. */
function decide(before: SyncMachine): Step {
  let machine = before
  const effects: Effect[] = []

  if (machine.write === null) {
    machine = chooseWrite(machine)
    if (machine.write !== null) effects.push({ do: 'write', write: machine.write })
  }

  const reached = machine.link === 'joined' && machine.write === null && machine.saved.cursor >= machine.head
  if (reached && !machine.saved.reconciling) machine = { ...machine, caughtUp: true }

  const request = machine.request === null && machine.pause === null ? chooseRequest(machine) : null
  if (request !== null) {
    machine = { ...machine, request: request.kind }
    effects.push({ do: 'request', request })
  } else if (outboxIsDue(machine)) {
    // Cleared before the read, so that an edit during it is not forgotten.
    machine = { ...machine, readingOutbox: true, unsent: false }
    effects.push({ do: 'read-outbox', budgetBytes: machine.budgetBytes })
  }
  return { machine, effects }
}

function chooseWrite(before: SyncMachine): SyncMachine {
  let machine = before
  const { saved, acked } = machine
  if (machine.pause !== null) return machine

  if (acked !== null && (acked.after === saved.cursor || acked.cursor <= saved.cursor)) {
    const { entries, refused, epoch, cursor } = acked
    const state = cursor > saved.cursor ? { ...saved, epoch, cursor } : saved
    return { ...machine, write: { kind: 'settle', entries, refused, state } }
  }

  for (let [range, ...rest] = machine.inbox; range !== undefined; [range, ...rest] = machine.inbox) {
    machine = { ...machine, inbox: rest }
    const { epoch, after, cursor, ops } = range
    // Behind a gap, it is left to a pull. What overlaps is stored whole: storing twice is harmless.
    if (after > saved.cursor || cursor <= saved.cursor) continue
    return { ...machine, write: { kind: 'append', ops, state: { ...saved, epoch, cursor } } }
  }

  const { logId } = saved
  if (machine.link === 'joined' && saved.reconciling && logId !== null && saved.cursor >= machine.head) {
    return { ...machine, write: { kind: 'queue-missing', logId, state: { ...saved, reconciling: false } } }
  }
  return machine
}

function chooseRequest(machine: SyncMachine): Request | null {
  if (machine.link === 'down' || machine.blocked !== null) return null
  if (!machine.registered) return { kind: 'register' }
  const quiet = machine.write === null && machine.inbox.length === 0
  if (machine.link === 'up') return quiet ? { kind: 'join', from: machine.saved } : null
  if (quiet && machine.saved.cursor < machine.head) return { kind: 'pull', after: machine.saved.cursor }
  if (machine.push !== null && machine.caughtUp && machine.pushPause === null) {
    return { kind: 'push', ops: machine.push.ops }
  }
  return null
}

function outboxIsDue(machine: SyncMachine): boolean {
  return (
    machine.unsent &&
    !machine.readingOutbox &&
    machine.caughtUp &&
    machine.request === null &&
    machine.push === null &&
    machine.acked === null &&
    machine.pause === null &&
    machine.pushPause === null &&
    machine.blocked === null
  )
}
