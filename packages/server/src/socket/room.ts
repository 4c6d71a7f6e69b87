import {
  encodeBatch,
  type JsonValue,
  limits,
  type NotificationPayload,
  type Presence,
  type RoleName,
  type SpaceId,
  type TransientChange,
} from '@t69/protocol'

import type { Commit, LogState } from '../spaces/space.ts'
import { isSlow as isSlowBeyond } from './is-slow.ts'
import type { Socket } from './socket.ts'
import type { UserConnection } from './user-connection.ts'

/** A socket in the room. */
export interface Occupant {
  readonly connection: UserConnection
  /** The role when the socket joined. */
  readonly role: RoleName
  /** Its presence; undefined while it shows none. */
  shown: JsonValue | undefined
  /** Bytes of its presence as JSON. */
  shownBytes: number
  /** True when appends were left out because its network could not keep up. */
  isBehind: boolean
  /** Connections whose presence changed meanwhile, and whether this socket had been shown it before. */
  readonly missedPresence: Map<string, boolean>
}

/** The sockets in one space. Bounds the bytes that wait for a slow reader, which gets the rest once it has drained. */
export interface Room {
  readonly size: number
  occupants(): IterableIterator<Occupant>
  /** Adds the socket, or gives it another role, and sends it everybody's presence. Returns the bytes of that. */
  enter(connection: UserConnection, role: RoleName): number
  /** Removes the socket: nothing of the space reaches it afterwards. Returns false when it was not here. */
  leave(connection: UserConnection): boolean
  /** Sends a commit to every socket except the one that pushed it. */
  append(commit: Commit): void
  /** Sets the socket's presence and tells the others. `bytes` is its size as JSON. */
  show(connection: UserConnection, state: JsonValue, bytes: number): void
  /** Sends transient changes to the others. */
  passOn(connection: UserConnection, changes: TransientChange[]): void
  /** Sends a drained socket the presence that it missed, and tells it to pull if it missed appends. */
  catchUp(connection: UserConnection, state: () => LogState): void
}

export function createRoom(spaceId: SpaceId, maxBacklogBytes: number): Room {
  const occupants = new Map<string, Occupant>()

  const isSlow = (connection: UserConnection): boolean => isSlowBeyond(connection, maxBacklogBytes)

  function presenceOf({ connection: { socket, data }, shown }: Occupant): Presence[] {
    if (shown === undefined) return []
    return [{ connectionId: socket.id, user: { id: data.userId, name: data.userName }, state: shown }]
  }

  function tellOthers(changed: Socket, wasShown: boolean): void {
    const occupant = occupants.get(changed.id)
    const present = occupant === undefined ? [] : presenceOf(occupant)
    const payload = { spaceId, present, gone: present.length === 0 ? [changed.id] : [] }
    for (const { connection, missedPresence } of occupants.values()) {
      if (connection.socket.id === changed.id) continue
      if (isSlow(connection)) miss(missedPresence, changed.id, wasShown, present.length > 0)
      else connection.socket.send('presence:changed', payload)
    }
  }

  /** Forgets a connection that both came and went meanwhile, or such connections would add up. */
  function miss(missed: Map<string, boolean>, id: string, wasShown: boolean, isShown: boolean): void {
    const isKnown = missed.get(id) ?? wasShown
    if (isKnown || isShown) missed.set(id, isKnown)
    else missed.delete(id)
  }

  /** Sends presence in as many messages as its size takes: usually one. Returns the bytes of all states. */
  function sendPresence(socket: Socket, present: Presence[], gone: string[]): number {
    let page: Presence[] = []
    let bytes = 0
    let total = 0
    for (const presence of present) {
      const size = JSON.stringify(presence.state).length
      if (page.length > 0 && bytes + size > limits.batchBudgetBytes) {
        socket.send('presence:changed', { spaceId, present: page, gone: [] })
        page = []
        bytes = 0
      }
      page.push(presence)
      bytes += size
      total += size
    }
    socket.send('presence:changed', { spaceId, present: page, gone })
    return total
  }

  function leave({ socket, allowance }: UserConnection): boolean {
    const occupant = occupants.get(socket.id)
    if (occupant === undefined) return false
    occupants.delete(socket.id)
    allowance.shownBytes -= occupant.shownBytes
    if (occupant.shown !== undefined) tellOthers(socket, true)
    return true
  }

  return {
    get size() {
      return occupants.size
    },
    occupants: () => occupants.values(),

    enter: (connection, role) => {
      const { socket } = connection
      const { shown, shownBytes = 0 } = occupants.get(socket.id) ?? {}
      const missedPresence = new Map<string, boolean>()
      occupants.set(socket.id, { connection, role, shown, shownBytes, isBehind: false, missedPresence })
      const others = [...occupants.values()].filter((occupant) => occupant.connection.socket.id !== socket.id)
      return sendPresence(socket, others.flatMap(presenceOf), [])
    },
    leave,

    append: ({ logId, epoch, after, cursor, ops, batch: asPushed, originId }) => {
      let payload: NotificationPayload<'ops:appended'> | undefined
      for (const occupant of occupants.values()) {
        const { socket } = occupant.connection
        if (socket.id === originId) continue
        occupant.isBehind = isSlow(occupant.connection)
        if (occupant.isBehind) continue
        // Encoded once, for the first receiver.
        payload ??= { spaceId, logId, epoch, after, cursor, batch: asPushed ?? encodeBatch({ spaceId, ops }) }
        socket.send('ops:appended', payload)
      }
    },

    show: ({ socket, allowance }, state, bytes) => {
      const occupant = occupants.get(socket.id)
      if (occupant === undefined) return
      const shownBytes = state === null ? 0 : bytes
      allowance.shownBytes += shownBytes - occupant.shownBytes
      occupant.shownBytes = shownBytes
      const wasShown = occupant.shown !== undefined
      occupant.shown = state ?? undefined
      if (wasShown || occupant.shown !== undefined) tellOthers(socket, wasShown)
    },

    passOn: ({ socket: from }, changes) => {
      const payload = { spaceId, connectionId: from.id, changes }
      for (const { connection } of occupants.values()) {
        const { socket } = connection
        if (socket.id === from.id || isSlow(connection)) continue
        socket.send('ops:transient', payload)
      }
    },

    catchUp: (connection, state) => {
      const { socket } = connection
      const occupant = occupants.get(socket.id)
      if (occupant === undefined || isSlow(connection)) return
      if (occupant.missedPresence.size > 0) {
        const missed = [...occupant.missedPresence.keys()]
        occupant.missedPresence.clear()
        const present = missed.flatMap((id) => {
          const changed = occupants.get(id)
          return changed === undefined ? [] : presenceOf(changed)
        })
        const shown = new Set(present.map(({ connectionId }) => connectionId))
        sendPresence(
          socket,
          present,
          missed.filter((id) => !shown.has(id)),
        )
      }
      if (!occupant.isBehind) return
      occupant.isBehind = false
      const { logId, epoch, head } = state()
      const batch = encodeBatch({ spaceId, ops: [] })
      socket.send('ops:appended', { spaceId, logId, epoch, after: head, cursor: head, batch })
    },
  }
}
