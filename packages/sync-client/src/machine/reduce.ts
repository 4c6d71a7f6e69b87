import {
  limits,
  rightsOf,
  type ErrorBody,
  type NotificationPayload,
  type SpaceIdentity,
  type SpaceSeal,
} from '@t69/protocol'

import { unsynced, type KeptSeal } from '../storage/index.ts'
import { paceKept } from './pace.ts'
import type { Effect, LogRange, Step, SyncEvent, SyncMachine } from './state.ts'
import {
  block,
  choiceIn,
  disconnected,
  later,
  otherSpace,
  refused,
  rejoin,
  withoutEffects,
} from './transitions.ts'

/** The most ranges in the inbox. Further appends are dropped, and pulled once the storage has caught up. */
const maxInbox = 64
/** The most operations in the inbox. */
const maxInboxOps = 2 * limits.maxBatchOps

/** Returns the machine with the facts of an event recorded. `decide` then says what to do about them. */
export function reduce(machine: SyncMachine, event: SyncEvent): Step {
  switch (event.type) {
    case 'connected':
      return withoutEffects({ ...disconnected(machine), link: 'up' })
    case 'disconnected':
      return withoutEffects(disconnected(machine))
    case 'registered':
      return withoutEffects(registered({ ...machine, request: null }, event.identity))
    case 'joined':
      return joined(machine, event)
    case 'pulled':
      return withoutEffects(pulled({ ...machine, request: null }, event.range, event.head))
    case 'pushed':
      return withoutEffects(pushed({ ...machine, request: null }, event))
    case 'refused':
      return refused({ ...machine, request: null }, machine.request, event.error)
    case 'appended':
      return withoutEffects(appended(machine, event.range))
    case 'sealed':
      return withoutEffects(sealed(machine, event.seal))
    case 'chosen':
      return withoutEffects(chosen(machine, event.identity))
    case 'closed':
      return closed(machine, event.reason)
    case 'written':
      return event.heldBack === true
        ? withoutEffects({ ...machine, write: null, holdsBack: true })
        : written(machine)
    case 'write-failed':
      return later({ ...unwritten(machine), write: null }, event.error)
    case 'outbox-read':
      return withoutEffects({
        ...machine,
        readingOutbox: false,
        // The outbox may hold more. An edit that came during the read has set `unsent` again as well.
        unsent: machine.unsent || event.slice !== undefined,
        push: event.slice === undefined ? null : { ...event.slice, refused: [], most: Infinity, sending: 0 },
      })
    case 'outbox-failed':
      return later({ ...machine, readingOutbox: false, unsent: true }, event.error)
    case 'edited':
      return withoutEffects({ ...machine, unsent: true, isBare: false })
    case 'distrusted':
      return withoutEffects({ ...rejoin(machine), distrusted: true })
    case 'retry':
      return withoutEffects({
        ...machine,
        pause: null,
        asksAgain: machine.blocked?.code === 'not_found',
        pushPause: machine.pushPause?.until === 'retry' ? null : machine.pushPause,
      })
  }
}

function registered(machine: SyncMachine, identity: SpaceIdentity): SyncMachine {
  const { saved } = machine
  if (saved.identity !== null && saved.identity !== identity) return block(machine, otherSpace)
  return { ...machine, registered: true, claimed: saved.identity === null ? identity : null, proving: null }
}

/**
 * Whether the server's space is the one that this device holds ([SI3]). An identity cannot be forged, as the server makes
 * it. A log id, which the server makes too, proves the same of what was stored before spaces had an identity.
 */
function isThisSpace({ saved, claimed, isBare }: SyncMachine, { identity, logId }: JoinReply): boolean {
  const known = saved.identity ?? claimed
  if (known !== null) return identity === known
  return saved.logId === null ? isBare : logId === saved.logId
}

function joined(machine: SyncMachine, { reply, page }: Extract<SyncEvent, { type: 'joined' }>): Step {
  const { identity, logId, epoch, cursor, head, role } = reply
  if (!isThisSpace(machine, reply)) {
    return { machine: block({ ...machine, request: null }, otherSpace), effects: [{ do: 'leave' }] }
  }
  const seal = sealAfterJoin(machine, reply)
  const appended = machine.inbox.filter((range) => range.logId === logId)
  const inbox = page === undefined ? appended : [page, ...appended]
  const inside: SyncMachine = {
    ...machine,
    link: 'joined',
    request: null,
    role,
    nextSeal: seal ?? machine.nextSeal,
    inbox,
    head: Math.max(head, ...inbox.map((range) => range.cursor)),
    pullPace: page === undefined ? machine.pullPace : paceKept(machine.pullPace),
    blocked: null,
    asksAgain: false,
    caughtUp: false,
    pushPause: rightsOf(role).edit ? null : { until: 'join', error: mayOnlyRead },
  }
  const isSame = logId === machine.saved.logId && cursor === machine.saved.cursor
  if (isSame && !machine.distrusted) {
    const adopting = machine.saved.identity === null ? { ...machine.saved, identity } : null
    return withoutEffects({ ...inside, adopting })
  }
  // Another log: which of our operations it holds is known once it is read to its end. Store that first, before the
  // first page: a crash in between would otherwise leave a cursor without its reconciliation.
  const from = machine.distrusted ? 0 : cursor
  const adopting = { identity, logId, epoch, cursor: from, reconciling: true }
  return withoutEffects({ ...inside, acked: null, adopting })
}

/** Returns the seal to be stored after a join, or undefined if the stored one is still right. */
function sealAfterJoin({ seal }: SyncMachine, reply: JoinReply): KeptSeal | undefined {
  const { role } = reply
  if (reply.seal !== undefined) return { ...reply.seal, role }
  return seal !== null && seal.role !== role ? { ...seal, role } : undefined
}

/** A seal that comes while the space is not joined may be that of another space. A join brings the newest one. */
function sealed(machine: SyncMachine, seal: SpaceSeal): SyncMachine {
  const { role } = machine
  if (machine.link !== 'joined' || role === null) return machine
  return { ...machine, nextSeal: { accessId: seal.accessId, seal: seal.seal, role } }
}

/** Takes the server's space for this one from now on, as if this device had never synced it. */
function chosen(machine: SyncMachine, identity: SpaceIdentity): SyncMachine {
  return {
    ...rejoin(machine),
    registered: true,
    claimed: null,
    nextSeal: machine.seal === null ? undefined : null,
    adopting: { ...unsynced, identity },
    blocked: null,
    asksAgain: false,
  }
}

/**
 * Puts a failed write back where it came from, for the next attempt. The operations are not pulled again: a disk may
 * be full for days.
 */
function unwritten(machine: SyncMachine): SyncMachine {
  const { write, saved } = machine
  // The log's id must be stored before any of its operations.
  if (write?.kind === 'adopt-log') {
    const rejoining = rejoin(machine)
    return { ...rejoining, adopting: rejoining.adopting ?? choiceIn(write.state) }
  }
  if (write?.kind !== 'append') return machine
  const { logId, epoch, cursor } = write.state
  if (logId === null || epoch === null) return machine
  return {
    ...machine,
    inbox: [
      { logId, epoch, after: saved.cursor, cursor, ops: write.ops, attested: write.attested },
      ...machine.inbox,
    ],
  }
}

type JoinReply = Extract<SyncEvent, { type: 'joined' }>['reply']

const mayOnlyRead: ErrorBody = {
  code: 'forbidden',
  reason: 'role',
  message: 'You can read this space, but not change it. Your edits stay on this device.',
}

function pulled(machine: SyncMachine, range: LogRange, head: number): SyncMachine {
  if (range.logId !== machine.saved.logId) return rejoin(machine)
  // An empty page marks the end of the log, wherever it was thought to be.
  const end = range.cursor === range.after ? range.cursor : Math.max(machine.head, head)
  return { ...machine, head: end, inbox: [...machine.inbox, range], pullPace: paceKept(machine.pullPace) }
}

function appended(machine: SyncMachine, range: LogRange): SyncMachine {
  const isFull = machine.inbox.length >= maxInbox || heldOps(machine) + range.ops.length > maxInboxOps
  // The first append may arrive in one packet with the reply to the join, and before it: keep it.
  if (machine.request === 'join') {
    // A dropped range leaves its end behind: the head in the reply may be older.
    const kept = isFull ? { ...range, ops: [], attested: [], after: range.cursor } : range
    return { ...machine, inbox: [...machine.inbox, kept] }
  }
  if (machine.link !== 'joined') return machine
  const { logId } = machine.adopting ?? machine.write?.state ?? machine.saved
  if (range.logId !== logId) return rejoin(machine)
  const inbox = isFull ? machine.inbox : [...machine.inbox, range]
  return { ...machine, inbox, head: Math.max(machine.head, range.cursor) }
}

const heldOps = ({ inbox }: SyncMachine): number => inbox.reduce((sum, { ops }) => sum + ops.length, 0)

function pushed(
  machine: SyncMachine,
  { ack, attested }: Extract<SyncEvent, { type: 'pushed' }>,
): SyncMachine {
  const { push } = machine
  if (push === null) return machine
  if (ack.logId !== machine.saved.logId) return rejoin(machine)
  const refused = [...push.refused]
  for (const { index, code, message } of ack.rejected) {
    const op = index < push.sending ? push.ops[index] : undefined
    if (op !== undefined) refused.push({ op, code, message })
  }
  const rest = push.ops.slice(push.sending)
  const isWhole = rest.length === 0
  return {
    ...machine,
    push: isWhole ? null : { ...push, ops: rest, batch: undefined, refused, most: push.most * 2, sending: 0 },
    // Each part moves the cursor; the entries leave the outbox with the last part.
    acked: {
      entries: isWhole ? push.entries : [],
      refused: isWhole ? refused : [],
      attested,
      epoch: ack.epoch,
      after: ack.after,
      cursor: ack.cursor,
    },
    head: Math.max(machine.head, ack.cursor),
    budgetBytes: limits.batchBudgetBytes,
    pushPace: paceKept(machine.pushPace),
    attempt: 0,
    pushPause: null,
  }
}

function written(machine: SyncMachine): Step {
  const { write } = machine
  if (write === null) return withoutEffects(machine)
  const after: SyncMachine = {
    ...machine,
    // Adopting a log begins to read it from its start, which is what distrust asks for.
    distrusted: machine.distrusted && !(write.kind === 'adopt-log' && write.state.cursor === 0),
    write: null,
    saved: write.state,
    seal: write.kind === 'keep-seal' ? write.seal : machine.seal,
    nextSeal: write.kind === 'keep-seal' && machine.nextSeal === write.seal ? undefined : machine.nextSeal,
    acked: write.kind === 'settle' ? null : machine.acked,
    attempt: machine.pushPause === null ? 0 : machine.attempt,
  }
  const effects: Effect[] =
    write.kind === 'append' && write.ops.length > 0
      ? [{ do: 'show', ops: write.ops, attested: write.attested }]
      : []
  return { machine: after, effects }
}

function closed(machine: SyncMachine, reason: NotificationPayload<'space:closed'>['reason']): Step {
  switch (reason) {
    case 'changed':
      return withoutEffects(rejoin(machine))
    case 'unavailable':
      return later(rejoin(machine), {
        code: 'unavailable',
        message: 'The server cannot serve this space now',
      })
    case 'removed':
      return withoutEffects(
        block(machine, {
          code: 'forbidden',
          reason: 'role',
          message: 'You are no longer a member of this space',
        }),
      )
    case 'deleted':
      return withoutEffects(block(machine, { code: 'not_found', message: 'This space was deleted' }))
  }
}
