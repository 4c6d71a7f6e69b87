import { errorCodes, rightsOf, type ErrorBody } from '@t69/protocol'

import type { SyncState } from '../storage/index.ts'
import { paceLost } from './pace.ts'
import type { Effect, Push, Request, Step, SyncMachine } from './state.ts'

export const withoutEffects = (machine: SyncMachine): Step => ({ machine, effects: [] })

/** The space of this id on the server is not the one that this device holds. */
export const otherSpace: ErrorBody = {
  code: 'other_space',
  message: 'The server has another space in the place of this one. Nothing of this one is sent to it.',
}

/** Handles a refused request by its error code: wait, rejoin, renew the session, or set an operation aside. */
export function refused(machine: SyncMachine, request: Request['kind'] | null, error: ErrorBody): Step {
  switch (errorCodes[error.code].retry) {
    case 'later':
      return request === 'push' ? pushLater(machine, error) : later(machine, error)
    case 'rejoin':
      return withoutEffects(rejoin(machine))
    case 'renew':
      return { machine: disconnected(machine), effects: [{ do: 'renew-session' }] }
    case 'register':
      return prove(machine, error)
    case 'never':
      if (request === 'push') return withoutEffects(pushRefused(machine, error))
      return request === 'register' ? registerRefused(machine, error) : joinRefused(machine, error)
  }
}

/** Shows the seal to a server that lacks what it says. A server that has seen it and still asks is asked again later. */
function prove(machine: SyncMachine, error: ErrorBody): Step {
  const { seal, shownSeal } = machine
  if (seal === null || seal.accessId === shownSeal)
    return later({ ...rejoin(machine), shownSeal: null }, error)
  return withoutEffects({ ...rejoin(machine), proving: error, shownSeal: seal.accessId })
}

/** A server that was restored from an older copy may not know a space that its owner holds ([SI10]). */
function joinRefused(machine: SyncMachine, error: ErrorBody): Step {
  const { seal, shownSeal } = machine
  const isOwn = error.code === 'not_found' && seal !== null && rightsOf(seal.role).own
  return isOwn && shownSeal === null ? prove(machine, error) : lost(machine, error)
}

/** How long to wait before the server is asked again for a space that it does not know, in ms. */
const lostRetryMs = 60_000

/** The space was deleted, or the user removed; or the server has lost it, and an owner registers it again. */
function lost(machine: SyncMachine, error: ErrorBody): Step {
  const mayComeBack = error.code === 'not_found' && machine.saved.identity !== null
  const effects: Effect[] = [{ do: 'retry-later', attempt: 0, retryAfterMs: lostRetryMs }]
  return { machine: block(machine, error), effects: mayComeBack ? effects : [] }
}

function registerRefused(machine: SyncMachine, error: ErrorBody): Step {
  const { proving } = machine
  const next = { ...machine, proving: null }
  // A registration of our own is refused only if somebody else has the id.
  if (proving === null) {
    return withoutEffects(block(next, error.code === 'already_exists' ? otherSpace : error))
  }
  if (proving.code === 'not_found') return lost(next, proving)
  // The server has lost the key to the seal, or never had it: join without one ([SI7]).
  if (error.code === 'invalid_request' && error.at === 'seal')
    return withoutEffects({ ...next, nextSeal: null })
  return withoutEffects(block(next, error))
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

/** Sets the operation aside that the server named, and pushes the others. */
function withoutOp(machine: SyncMachine, push: Push, error: ErrorBody): SyncMachine {
  const op = typeof error.at === 'number' ? push.ops[error.at] : undefined
  if (op === undefined) return narrower(machine, push, error)
  const refused = [...push.refused, { op, code: error.code, message: error.message }]
  return settledWhenEmpty(machine, {
    ...push,
    ops: push.ops.filter((other) => other !== op),
    batch: undefined,
    refused,
  })
}

/** Finds the operation that the server cannot take by sending less each time, until it is the only one left. */
function narrower(machine: SyncMachine, push: Push, error: ErrorBody): SyncMachine {
  if (push.entries.length > 1) {
    return { ...machine, push: null, unsent: true, budgetBytes: Math.ceil(machine.budgetBytes / 2) }
  }
  const [op, ...ops] = push.ops
  if (push.sending > 1 || op === undefined) {
    return { ...machine, push: { ...push, most: Math.ceil(push.sending / 2) } }
  }
  const refused = [...push.refused, { op, code: error.code, message: error.message }]
  return settledWhenEmpty(machine, { ...push, ops, batch: undefined, refused })
}

function settledWhenEmpty(machine: SyncMachine, push: Push): SyncMachine {
  const { epoch, cursor } = machine.saved
  if (push.ops.length > 0 || epoch === null) return { ...machine, push }
  const { entries, refused } = push
  return {
    ...machine,
    push: null,
    unsent: true,
    acked: { entries, refused, attested: [], epoch, after: cursor, cursor },
  }
}

/**
 * Voids whatever was under way with the log, except for a transaction. An ack that the cursor has not reached is void
 * too: a server that lost that position, though not the cursor's, keeps its log id. Those edits are pushed again.
 */
const nothingUnderWay = ({ adopting }: SyncMachine) =>
  ({
    caughtUp: false,
    holdsBack: false,
    inbox: [],
    request: null,
    push: null,
    acked: null,
    adopting: choiceIn(adopting),
    unsent: true,
  }) as const satisfies Partial<SyncMachine>

/** The state if it is the user who chose it, and no join: it names no log. It holds whatever becomes of the connection. */
export const choiceIn = (state: SyncState | null): SyncState | null => (state?.logId === null ? state : null)

export function disconnected(machine: SyncMachine): SyncMachine {
  return {
    ...machine,
    ...nothingUnderWay(machine),
    link: 'down',
    pullPace:
      machine.request === 'pull' || machine.request === 'join'
        ? paceLost(machine.pullPace)
        : machine.pullPace,
    pushPace: machine.request === 'push' ? paceLost(machine.pushPace) : machine.pushPace,
    proving: null,
    shownSeal: null,
    pause: null,
    pushPause: null,
    blocked: null,
    asksAgain: false,
  }
}

export function rejoin(machine: SyncMachine): SyncMachine {
  return machine.link === 'down' ? machine : { ...machine, ...nothingUnderWay(machine), link: 'up' }
}

export function block(machine: SyncMachine, error: ErrorBody): SyncMachine {
  return { ...rejoin(machine), blocked: error, asksAgain: false }
}

export function later(machine: SyncMachine, error: ErrorBody): Step {
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
