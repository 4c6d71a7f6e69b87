import {
  jsonValueProblem,
  limits,
  startOfText,
  transientChangeSchema,
  utf8Length,
  type JsonValue,
  type PropertyOperation,
  type TransientChange,
} from '@t69/protocol'

import type { Runtime } from '../runtime/index.ts'
import type { LocalTransient } from './open-trees.ts'
import { slotOf } from './transient-slot.ts'

/** Least time between two messages, in ms. Only the latest value of a property is sent. */
const throttleMs = 50
/** Time after which a growing text is sent whole again, in ms. A receiver that missed a part then catches up. */
const wholeEveryMs = 5_000

export interface TransientSender {
  /** Sends a value with the next message. Undefined removes it at the receivers. */
  set(change: LocalTransient): void
  /** A stored value has taken the place of the transient one, which is not sent any more. */
  stored(op: PropertyOperation): void
  /** Somebody else has stored a value: one that is later than the transient value has taken its place. */
  merged(op: PropertyOperation): void
  /** Sends all values again, whole, for somebody who has just come. */
  repeatWhole(): void
  /** Sends none of the values any more. */
  forget(): void
}

interface Outgoing {
  readonly change: LocalTransient
  /** The value that receivers show if they have missed nothing. */
  sent: JsonValue | undefined
  /** False if a part would mean nothing to some receiver, which needs the whole value first. */
  sentAny: boolean
  /** When it was last sent whole, in Unix milliseconds. */
  wholeAt: number
  dirty: boolean
}

/**
 * Sends the transient values that are set in this tab. For a text that grows only the added part is sent, so that a
 * reply of 300 chunks costs its length once, not 150 times.
 */
export function createTransientSender(
  runtime: Runtime,
  send: (changes: readonly TransientChange[]) => void,
): TransientSender {
  const outgoing = new Map<string, Outgoing>()
  let cancel: (() => void) | null = null

  function flush(): void {
    cancel = null
    const changes: TransientChange[] = []
    for (const [key, entry] of outgoing) {
      if (!entry.dirty) continue
      entry.dirty = false
      const change = messageFor(entry, runtime.now())
      if (change !== undefined) changes.push(change)
      if (entry.change.value === undefined) outgoing.delete(key)
    }
    for (const message of inMessages(changes)) send(message)
  }

  const schedule = (): void => void (cancel ??= runtime.setTimer(flush, throttleMs))

  return {
    set(change) {
      const key = slotOf(change)
      const before = outgoing.get(key)
      outgoing.set(key, {
        sent: before?.sent,
        sentAny: before?.sentAny ?? false,
        wholeAt: before?.wholeAt ?? 0,
        change,
        dirty: true,
      })
      schedule()
    },
    stored(op) {
      if (outgoing.size > 0) outgoing.delete(slotOf(op))
    },
    merged(op) {
      // Asked of every operation, and there is rarely anything to look for.
      if (outgoing.size === 0) return
      const slot = slotOf(op)
      const opId = outgoing.get(slot)?.change.opId
      if (opId === undefined || op.clock < opId.clock) return
      if (op.clock > opId.clock || op.peerId > opId.peerId) outgoing.delete(slot)
    },
    repeatWhole() {
      for (const entry of outgoing.values()) {
        entry.sentAny = false
        entry.dirty = true
      }
      if (outgoing.size > 0) schedule()
    },
    forget() {
      cancel?.()
      cancel = null
      outgoing.clear()
    },
  }
}

/** Splits changes into as few messages as the limits allow. */
function* inMessages(changes: readonly TransientChange[]): Generator<TransientChange[]> {
  let message: TransientChange[] = []
  let bytes = 0
  for (const change of changes) {
    const size = utf8Length(JSON.stringify(change))
    if (message.length === limits.maxTransientChanges || bytes + size > limits.batchBudgetBytes) {
      yield message
      message = []
      bytes = 0
    }
    message.push(change)
    bytes += size
  }
  if (message.length > 0) yield message
}

const whereSchema = transientChangeSchema.pick({ treeId: true, targetId: true, key: true, opId: true })

function messageFor(entry: Outgoing, now: number): TransientChange | undefined {
  const { value } = entry.change
  const where = whereSchema.safeParse(entry.change).data
  if (where === undefined) return undefined
  if (value === undefined) return where

  const { sent } = entry
  const text = typeof value === 'string' ? startOfText(value) : undefined
  const grows = entry.sentAny && text !== undefined && typeof sent === 'string' && text.startsWith(sent)
  if (grows && text.length === sent.length) return undefined
  const recent = now - entry.wholeAt < wholeEveryMs
  const whole = text ?? value
  const part = grows ? text.slice(sent.length) : undefined
  // A text too long to be sent whole is continued in parts. A late receiver sees it once it is stored.
  const asPart = part !== undefined && (recent || !fits(whole))
  const sendable = asPart ? part : whole
  if (!fits(sendable) || jsonValueProblem(sendable) !== undefined) return undefined
  if (!asPart) entry.wholeAt = now
  entry.sent = whole
  entry.sentAny = true
  return asPart && typeof sent === 'string'
    ? { ...where, value: sendable, offset: sent.length }
    : { ...where, value: sendable }
}

const fits = (value: JsonValue): boolean => utf8Length(JSON.stringify(value)) <= limits.maxTransientBytes
