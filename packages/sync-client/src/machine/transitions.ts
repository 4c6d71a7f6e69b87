import { errorCodes, type ErrorBody } from '@t69/protocol'

import { paceLost } from './pace.ts'
import type { Effect, Push, Request, Step, SyncMachine } from './state.ts'

export const withoutEffects = (machine: SyncMachine): Step => ({ machine, effects: [] })

/** Handles a refused request by its error code: wait, rejoin, renew the session, or set an operation aside. */
export function refused(machine: SyncMachine, request: Request['kind'] | null, error: ErrorBody): Step {
  switch (errorCodes[error.code].retry) {
    case 'later':
      return request === 'push' ? pushLater(machine, error) : later(machine, error)
    case 'rejoin':
      return withoutEffects(rejoin(machine))
    case 'renew':
      return { machine: disconnected(machine), effects: [{ do: 'renew-session' }] }
    case 'never':
      return withoutEffects(request === 'push' ? pushRefused(machine, error) : block(machine, error))
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

/** Sets the operation aside that the server named, and pushes the others. */
function withoutOp(machine: SyncMachine, push: Push, error: ErrorBody): SyncMachine {
  const op = typeof error.at === 'number' ? push.ops[error.at] : undefined
  if (op === undefined) return narrower(machine, push, error)
  const refused = [...push.refused, { op, code: error.code, message: error.message }]
  return settledWhenEmpty(machine, { ...push, ops: push.ops.filter((other) => other !== op), refused })
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
  return settledWhenEmpty(machine, { ...push, ops, refused })
}

function settledWhenEmpty(machine: SyncMachine, push: Push): SyncMachine {
  const { epoch, cursor } = machine.saved
  if (push.ops.length > 0 || epoch === null) return { ...machine, push }
  const { entries, refused } = push
  return { ...machine, push: null, unsent: true, acked: { entries, refused, epoch, after: cursor, cursor } }
}

/**
 * Voids whatever was under way with the log, except for a transaction. An ack that the cursor has not reached is void
 * too: a server that lost that position, though not the cursor's, keeps its log id. Those edits are pushed again.
 */
const nothingUnderWay = {
  caughtUp: false,
  inbox: [],
  request: null,
  push: null,
  acked: null,
  unsent: true,
} as const satisfies Partial<SyncMachine>

export function disconnected(machine: SyncMachine): SyncMachine {
  return {
    ...machine,
    ...nothingUnderWay,
    link: 'down',
    pullPace: machine.request === 'pull' ? paceLost(machine.pullPace) : machine.pullPace,
    pushPace: machine.request === 'push' ? paceLost(machine.pushPace) : machine.pushPace,
    pause: null,
    pushPause: null,
    blocked: null,
  }
}

export function rejoin(machine: SyncMachine): SyncMachine {
  return machine.link === 'down' ? machine : { ...machine, ...nothingUnderWay, link: 'up' }
}

export function block(machine: SyncMachine, error: ErrorBody): SyncMachine {
  return { ...rejoin(machine), blocked: error }
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
