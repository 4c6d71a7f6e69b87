import type { UserId } from '@t69/protocol'

import { createFairQueue } from '../limits/fair-queue.ts'
import type { ServerRuntime } from '../ports/server-runtime.ts'

/** A connection whose packets wait at the door. */
export interface Guest {
  readonly id: string
  readonly userId: UserId
  /** Handles a packet: decodes it and does what it asks. */
  readonly handle: (data: unknown) => void
  /** Stops reading from the network, and goes on. What was read already still arrives. */
  readonly pause: () => void
  readonly resume: () => void
  /** Far too much waits. */
  readonly end: () => void
}

/**
 * Shares the event loop between users: what arrives waits here, and is handled for whoever had least, a moment in each turn.
 * So nobody waits for all that others send at one moment. What waits is bounded: a user of whom much waits is not read from.
 */
export interface Door {
  /** How many packets wait, and their bytes. */
  readonly waiting: { readonly packets: number; readonly bytes: number }
  arrived(guest: Guest, data: unknown, bytes: number): void
  /** The connection is gone. What waits of it is dropped. */
  left(guest: Guest): void
}

/** How long packets are handled in one turn of the event loop, in ms, and how many. */
const momentMs = 4
const packetsAtOnce = 32

/** Users who have had about the same, to so many ms, are served in the order in which their packets came. */
const quantumMs = 2

/** Bytes of one user that may wait before the user's connections are not read from any more. */
const pauseAtBytes = 2 * 1024 * 1024
/** What may wait of one user, if the connections cannot be paused or had read it already. Beyond it they end. */
const maxBytes = 16 * 1024 * 1024
const maxPackets = 5_000

interface User {
  packets: number
  bytes: number
  readonly paused: Set<Guest>
}

interface Packet {
  readonly guest: Guest
  readonly data: unknown
  readonly bytes: number
}

export function createDoor(
  { monotonic, worked, schedule }: Pick<ServerRuntime, 'monotonic' | 'worked' | 'schedule'>,
  /** Tells what was done for a user, in ms of a core. */
  spent: (userId: UserId, ms: number) => void,
): Door {
  const queue = createFairQueue<Packet>(quantumMs)
  const users = new Map<UserId, User>()
  const gone = new WeakSet<Guest>()
  /** How many packets are to be handled in this turn. */
  let due = 0
  let bytesWaiting = 0
  let begunAt = 0
  let current: { readonly packet: Packet; readonly workedBefore: number } | undefined

  /** One more packet is handled in this turn. A message with a batch is two, which have come together. */
  function handleSoon(): void {
    if (due === packetsAtOnce) return
    if (due === 0) begunAt = -1
    due++
    schedule(handleOne)
    // After what it causes (ticks and promises).
    schedule(finishOne)
  }

  function handleOne(): void {
    const at = monotonic()
    if (begunAt < 0) begunAt = at
    if (at - begunAt > momentMs) return
    const next = queue.next()
    if (next === undefined) return
    const packet = next.job
    current = { packet, workedBefore: worked() }
    if (!gone.has(packet.guest)) packet.guest.handle(packet.data)
  }

  function finishOne(): void {
    due--
    if (current !== undefined) {
      const { packet, workedBefore } = current
      current = undefined
      const ms = worked() - workedBefore
      queue.worked(ms, true)
      spent(packet.guest.userId, ms)
      letGo(packet)
    }
    if (due > 0) return
    // What waits longer than this turn.
    for (let nr = Math.min(queue.size, packetsAtOnce); nr > 0; nr--) handleSoon()
  }

  function letGo({ guest: { userId }, bytes }: Packet): void {
    bytesWaiting -= bytes
    const user = users.get(userId)
    if (user === undefined) return
    user.bytes -= bytes
    user.packets--
    if (user.packets === 0) users.delete(userId)
    if (user.bytes > pauseAtBytes / 2) return
    for (const guest of user.paused) guest.resume()
    user.paused.clear()
  }

  return {
    get waiting() {
      return { packets: queue.size, bytes: bytesWaiting }
    },
    arrived: (guest, data, bytes) => {
      if (gone.has(guest)) return
      const { id, userId } = guest
      const user = users.get(userId) ?? { packets: 0, bytes: 0, paused: new Set() }
      users.set(userId, user)
      user.packets++
      user.bytes += bytes
      bytesWaiting += bytes
      queue.add({ job: { guest, data, bytes }, lane: id, payers: [{ name: userId, weight: 1 }] })
      handleSoon()
      if (user.packets > maxPackets || user.bytes > maxBytes) return guest.end()
      if (user.bytes <= pauseAtBytes || user.paused.has(guest)) return
      user.paused.add(guest)
      guest.pause()
    },
    left: (guest) => {
      gone.add(guest)
      users.get(guest.userId)?.paused.delete(guest)
    },
  }
}
