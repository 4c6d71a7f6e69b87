import type { Effect, Request, Step, SyncMachine } from './sync-machine.ts'

/** Starts what is due: a transaction, then a request, if none is under way. */
export function decide(before: SyncMachine): Step {
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
