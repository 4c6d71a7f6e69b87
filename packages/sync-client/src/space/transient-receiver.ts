import {
  limits,
  type JsonValue,
  type PropertyOperation,
  type TransientChange,
  type TreeId,
} from '@t69/protocol'

import { slotOf } from './transient-slot.ts'

export interface TransientReceiver {
  /** Takes the changes of a sender, and shows them. */
  apply(from: string, changes: readonly TransientChange[]): void
  /** A value was stored: it takes the place of a transient one, unless that one is newer (TR5). */
  stored(op: PropertyOperation): void
  /** The sender whose value is shown in a place. */
  from(place: Parameters<typeof slotOf>[0]): string | undefined
  /** Shows the values held for a tree again: it was not open before, or lacked the vertices. */
  showAgain(treeId: TreeId): void
  /** Removes the values of senders that are not present any more. */
  keepOnly(isPresent: (from: string) => boolean): void
}

interface Held {
  readonly from: string
  readonly change: TransientChange
  readonly value: JsonValue
  /** Approximate size in memory, in UTF-16 code units. */
  readonly size: number
}

/** What is held of one sender. */
interface Sender {
  size: number
  /** The places of its values, the oldest first. */
  readonly slots: Set<string>
}

/** What a value takes besides its text, in units of `Held.size`, about. */
const sizeWithoutText = 200

/** The most that is held of one sender, in units of `Held.size`. Beyond it, its oldest values are removed. */
const maxHeld = 4 * limits.maxValueBytes

/** Assembles the parts of values that senders sent, and calls `show` with the whole ones. */
export function createTransientReceiver(
  show: (change: TransientChange, value: JsonValue | undefined) => void,
): TransientReceiver {
  const shown = new Map<string, Held>()
  const senders = new Map<string, Sender>()

  function drop(slot: string): void {
    const held = shown.get(slot)
    if (held === undefined) return
    shown.delete(slot)
    const sender = senders.get(held.from)
    if (sender === undefined) return
    sender.size -= held.size
    sender.slots.delete(slot)
    if (sender.slots.size === 0) senders.delete(held.from)
  }

  function hold(slot: string, from: string, change: TransientChange, value: JsonValue): void {
    drop(slot)
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    const size = sizeWithoutText + slot.length + text.length
    shown.set(slot, { from, change, value, size })
    const sender = senders.get(from) ?? { size: 0, slots: new Set() }
    senders.set(from, sender)
    sender.size += size
    sender.slots.add(slot)
    show(change, value)
    for (const oldest of sender.slots) {
      if (sender.size <= maxHeld) return
      const held = shown.get(oldest)
      drop(oldest)
      if (held !== undefined) show(held.change, undefined)
    }
  }

  return {
    apply(from, changes) {
      for (const change of changes) {
        const { value, offset } = change
        const slot = slotOf(change)
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
      // Asked of every operation, and there is rarely anything to look for.
      if (shown.size === 0) return
      const slot = slotOf(op)
      const opId = shown.get(slot)?.change.opId
      const isNewer = opId !== undefined && opId.peerId === op.peerId && opId.clock > op.clock
      if (!isNewer) drop(slot)
    },
    from: (place) => shown.get(slotOf(place))?.from,
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

/** Appends a part to the text before it. Undefined if a part was missed: a whole value comes in a few seconds. */
function continued(before: JsonValue | undefined, offset: number, part: JsonValue): string | undefined {
  const follows = typeof before === 'string' && typeof part === 'string' && before.length === offset
  return follows ? before + part : undefined
}
