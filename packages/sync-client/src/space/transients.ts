import {
  jsonValueProblem,
  limits,
  transientChangeSchema,
  utf8Length,
  type JsonValue,
  type PropertyOperation,
  type TransientChange,
  type TreeId,
} from '@t69/protocol'

import type { Runtime } from '../runtime/index.ts'
import type { LocalTransient } from './open-trees.ts'

/** The latest value wins; between two messages at least this long passes. */
const throttleMs = 50
/** Whoever missed a part catches up with the next whole value. */
const wholeEveryMs = 5_000

export interface TransientSender {
  set(change: LocalTransient): void
  /** A stored value has taken its place, for everybody who gets the operation. */
  stored(op: PropertyOperation): void
  /** Somebody came who has none of what was said so far. */
  repeatWhole(): void
  stop(): void
}

interface Outgoing {
  readonly change: LocalTransient
  /** What the others show, as far as they heard everything. */
  sent: JsonValue | undefined
  sentAny: boolean
  wholeAt: number
  dirty: boolean
}

/**
 * Sends what is shown and not stored. Text that grows travels as what was added, so that a reply of
 * 300 chunks costs its length once, not 150 times.
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
      const key = keyOf(change)
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
    stored: (op) => void outgoing.delete(keyOf(op)),
    repeatWhole() {
      for (const entry of outgoing.values()) {
        entry.sentAny = false
        entry.dirty = true
      }
      if (outgoing.size > 0) schedule()
    },
    stop() {
      cancel?.()
      cancel = null
      outgoing.clear()
    },
  }
}

/** As few messages as their limits allow. */
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
  const text = typeof value === 'string' ? wellFormedStart(value) : undefined
  const grows = entry.sentAny && text !== undefined && typeof sent === 'string' && text.startsWith(sent)
  if (grows && text.length === sent.length) return undefined
  const recent = now - entry.wholeAt < wholeEveryMs
  const whole = text ?? value
  const part = grows ? text.slice(sent.length) : undefined
  // A text too long to be sent whole goes on in parts; whoever comes late sees it once it is stored.
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

/** Without a last half of a surrogate pair, whose other half is still to come. */
function wellFormedStart(text: string): string {
  const last = text.charCodeAt(text.length - 1)
  return last >= 0xd800 && last < 0xdc00 ? text.slice(0, -1) : text
}

const keyOf = ({ treeId, targetId, key }: Pick<LocalTransient, 'treeId' | 'targetId' | 'key'>): string =>
  `${treeId}/${targetId}/${key}`

export interface TransientReceiver {
  apply(from: string, changes: readonly TransientChange[]): void
  /** A stored value came: what was shown over it is history, unless it is newer (TR5). */
  stored(op: PropertyOperation): void
  /** Shows once more what is held for a tree: it was not open, or it lacked the vertices. */
  showAgain(treeId: TreeId): void
  /** Who is not here any more shows nothing. */
  keepOnly(isPresent: (from: string) => boolean): void
}

interface Held {
  readonly from: string
  readonly change: TransientChange
  readonly value: JsonValue
  /** About what it takes in memory. */
  readonly size: number
}

/** What is held of one sender, as `Held.size`. Of who sends more, the oldest is taken away. */
const maxHeld = 4 * limits.maxValueBytes

/** Puts the parts together that a sender sent, and shows the result. */
export function createTransientReceiver(
  show: (change: TransientChange, value: JsonValue | undefined) => void,
): TransientReceiver {
  const shown = new Map<string, Held>()
  const heldOf = new Map<string, number>()

  function drop(slot: string): void {
    const held = shown.get(slot)
    if (held === undefined) return
    shown.delete(slot)
    const left = (heldOf.get(held.from) ?? 0) - held.size
    if (left > 0) heldOf.set(held.from, left)
    else heldOf.delete(held.from)
  }

  function hold(slot: string, from: string, change: TransientChange, value: JsonValue): void {
    drop(slot)
    const size = slot.length + (typeof value === 'string' ? value.length : JSON.stringify(value).length)
    shown.set(slot, { from, change, value, size })
    heldOf.set(from, (heldOf.get(from) ?? 0) + size)
    show(change, value)
    for (const [oldest, held] of shown) {
      if ((heldOf.get(from) ?? 0) <= maxHeld) return
      if (held.from !== from) continue
      drop(oldest)
      show(held.change, undefined)
    }
  }

  return {
    apply(from, changes) {
      for (const change of changes) {
        const { value, offset } = change
        const slot = keyOf(change)
        if (value === undefined) {
          drop(slot)
          show(change, undefined)
          continue
        }
        const before = shown.get(slot)
        const whole =
          offset === undefined
            ? value
            : continued(before?.from === from ? before.value : undefined, offset, value)
        if (whole !== undefined) hold(slot, from, change, whole)
      }
    },
    stored(op) {
      const slot = keyOf(op)
      const opId = shown.get(slot)?.change.opId
      const isNewer = opId !== undefined && opId.peerId === op.peerId && opId.clock > op.clock
      if (!isNewer) drop(slot)
    },
    showAgain(treeId) {
      for (const { change, value } of shown.values()) {
        if (change.treeId === treeId) show(change, value)
      }
    },
    keepOnly(isPresent) {
      for (const [slot, { from, change }] of shown) {
        if (isPresent(from)) continue
        drop(slot)
        show(change, undefined)
      }
    },
  }
}

/** A part that does not follow what is here is of no use: a whole value comes in a while. */
function continued(before: JsonValue | undefined, offset: number, part: JsonValue): string | undefined {
  const follows = typeof before === 'string' && typeof part === 'string' && before.length === offset
  return follows ? before + part : undefined
}
