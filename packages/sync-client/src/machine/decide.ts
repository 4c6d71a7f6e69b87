import { limits, rightsOf, type TreeOperation } from '@t69/protocol'

import type { SyncState } from '../storage/index.ts'
import { budgetOf } from './pace.ts'
import type { Effect, LogRange, Push, Request, Step, SyncMachine } from './state.ts'

/** Starts whatever is due: a transaction, then a request or a read of the outbox, if none is under way. */
export function decide(before: SyncMachine): Step {
  let machine = before
  const effects: Effect[] = []

  if (machine.write === null) {
    machine = chooseWrite(machine)
    if (machine.write !== null) effects.push({ do: 'write', write: machine.write })
  }

  const isStored = machine.write === null && machine.adopting === null && machine.nextSeal === undefined
  const reached = machine.link === 'joined' && isStored && machine.saved.cursor >= machine.head
  if (reached && (!machine.saved.reconciling || machine.holdsBack)) machine = { ...machine, caughtUp: true }

  const request = machine.request === null && machine.pause === null ? chooseRequest(machine) : null
  if (request !== null) {
    machine = { ...machine, request: request.kind }
    if (request.kind === 'push' && machine.push !== null) {
      machine = { ...machine, push: { ...machine.push, sending: request.ops.length } }
    }
    effects.push({ do: 'request', request })
  } else if (outboxIsDue(machine)) {
    // Cleared before the read, so that an edit during the read sets it again.
    machine = { ...machine, readingOutbox: true, unsent: false }
    const budgetBytes = Math.min(machine.budgetBytes, budgetOf(machine.pushPace))
    effects.push({ do: 'read-outbox', budgetBytes })
  }
  return { machine, effects }
}

function chooseWrite(before: SyncMachine): SyncMachine {
  let machine = before
  const { saved, acked } = machine
  if (machine.pause !== null) return machine

  const { nextSeal: seal, adopting } = machine
  if (seal !== undefined) return { ...machine, write: { kind: 'keep-seal', seal, state: saved } }
  if (adopting !== null) return { ...machine, adopting: null, write: { kind: 'adopt-log', state: adopting } }

  if (acked !== null && (acked.after === saved.cursor || acked.cursor <= saved.cursor)) {
    const { entries, refused, attested, epoch, cursor } = acked
    const state = cursor > saved.cursor ? { ...saved, epoch, cursor } : saved
    return { ...machine, write: { kind: 'settle', entries, refused, attested, state } }
  }

  // Until the join is answered, it is not known whether this is still the same log.
  if (machine.link === 'joined' && machine.inbox.length > 0) {
    const { ranges, state } = nextRanges(machine)
    machine = { ...machine, inbox: machine.inbox.slice(ranges.length) }
    if (state.cursor > saved.cursor) {
      const ops = ranges.flatMap((range) => range?.ops ?? [])
      const attested = ranges.flatMap((range) => range?.attested ?? [])
      return { ...machine, write: { kind: 'append', ops, attested, state } }
    }
  }

  const { logId } = saved
  const isRead = machine.link === 'joined' && saved.cursor >= machine.head
  if (isRead && saved.reconciling && !machine.holdsBack && logId !== null) {
    const mayQueue = machine.role !== null && rightsOf(machine.role).edit
    const state = { ...saved, reconciling: false }
    return { ...machine, write: { kind: 'queue-missing', logId, mayQueue, state } }
  }
  return machine
}

/**
 * Takes what has gathered in the inbox as one transaction and one merge. Moves that each sort before everything that a
 * tree has take a replica many times as long one by one as they do together. `ranges` has an entry for each range that
 * leaves the inbox: null for one that is dropped.
 */
function nextRanges({ inbox, saved }: SyncMachine): { ranges: (LogRange | null)[]; state: SyncState } {
  const ranges: (LogRange | null)[] = []
  let state = saved
  let count = 0
  for (const range of inbox) {
    const { epoch, after, cursor } = range
    // A range behind a gap is dropped and left to a pull, unless this transaction or an ack closes the gap. A range
    // that overlaps is stored whole: storing an operation twice is harmless.
    const isNext = after <= state.cursor && cursor > state.cursor
    const isFull = isNext && count + range.ops.length > limits.maxBatchOps
    if (state !== saved && (isFull || after > state.cursor)) break
    ranges.push(isNext ? range : null)
    if (!isNext) continue
    count += range.ops.length
    state = { ...state, epoch, cursor }
  }
  return { ranges, state }
}

function chooseRequest(machine: SyncMachine): Request | null {
  if (machine.link === 'down' || (machine.blocked !== null && !machine.asksAgain)) return null
  if (machine.proving !== null) return { kind: 'register', seal: machine.seal }
  if (!machine.registered) return { kind: 'register', seal: null }
  if (machine.link === 'up') {
    const { saved, claimed, seal } = machine
    const from = { ...saved, identity: saved.identity ?? claimed }
    const accessId = seal?.accessId ?? null
    return machine.write === null
      ? { kind: 'join', from, accessId, maxBytes: budgetOf(machine.pullPace) }
      : null
  }
  const after = nextPage(machine)
  if (after !== undefined && after < machine.head) {
    return { kind: 'pull', after, maxBytes: budgetOf(machine.pullPace) }
  }
  const { push, acked } = machine
  if (push !== null && acked === null && machine.caughtUp && machine.pushPause === null) {
    const ops = firstOf(push, budgetOf(machine.pushPace))
    return { kind: 'push', ops, batch: ops === push.ops ? push.batch : undefined }
  }
  return null
}

/** Returns all operations of a push, or its first ones when the connection carries or the server takes less at once. */
function firstOf({ ops, most }: Push, budgetBytes: number): readonly TreeOperation[] {
  if (ops.length <= most && budgetBytes >= limits.batchBudgetBytes) return ops
  let bytes = 0
  const end = ops.findIndex((op, index) => {
    bytes += estimatedBytes(op)
    return index > 0 && (index >= most || bytes > budgetBytes)
  })
  return end < 0 ? ops : ops.slice(0, end)
}

/** Estimates the size of an operation in a batch, in bytes. Ids count little: they are in the batch's dictionaries. */
function estimatedBytes({ value }: TreeOperation): number {
  return 24 + (value === undefined ? 0 : JSON.stringify(value).length)
}

/**
 * Returns the position after which the next page begins, or undefined while none is to be pulled. A page is pulled
 * while the previous one is being stored, so that neither the network nor the disk waits for the other. At most one
 * more waits in the inbox.
 */
function nextPage({ write, saved, inbox, acked, attempt }: SyncMachine): number | undefined {
  if (inbox.length > 0) return undefined
  if (write === null) return saved.cursor
  // No page while there is an ack: more often than not it continues right after the append that is being stored. No
  // page behind a storage that has just failed either: it may fail again, and pages would gather.
  const isNext = write.kind === 'append' && acked === null && attempt === 0
  return isNext ? write.state.cursor : undefined
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
