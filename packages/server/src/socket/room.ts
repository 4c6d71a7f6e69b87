import {
  encodeBatch,
  type JsonValue,
  limits,
  type NotificationPayload,
  type Presence,
  type RoleName,
  type SpaceSeal,
  type SpaceId,
  type TransientChange,
  utf8Length,
} from '@t69/protocol'

import type { CommittedPush } from '../spaces/space.ts'
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
  /** True until it is sent the newest access list. No commit is sent to it before: whoever has it knows who was removed. */
  lacksSeal: boolean
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
  append(commit: CommittedPush): void
  /** The access list has changed: `catchUp` sends it. */
  unseal(): void
  /** Sets the socket's presence and tells the others. `bytes` is its size as JSON. */
  show(connection: UserConnection, state: JsonValue, bytes: number): void
  /** Sends transient changes to the others. */
  passOn(connection: UserConnection, changes: TransientChange[]): void
  /**
   * Sends a socket the presence and the list that it lacks, and tells it to pull if it missed appends, unless it is slow.
   * Returns the bytes of the list, if that was sent.
   */
  catchUp(connection: UserConnection, seal: () => SpaceSeal): number
}

export function createRoom(spaceId: SpaceId, maxBacklogBytes: number): Room {
  const occupants = new Map<string, Occupant>()
  /** The commit that was appended last; undefined before the first one. */
  let newest: CommittedPush | undefined

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
      if (isSlow(connection)) {
        miss(missedPresence, changed.id, wasShown, present.length > 0)
        connection.missing.add(spaceId)
      } else connection.socket.send('presence:changed', payload)
    }
  }

  /** Forgets a connection that both came and went meanwhile, or such connections would add up. */
  function miss(missed: Map<string, boolean>, id: string, wasShown: boolean, isShown: boolean): void {
    const isKnown = missed.get(id) ?? wasShown
    if (isKnown || isShown) missed.set(id, isKnown)
    else missed.delete(id)
  }

  /** Sends presence in as many messages as its size takes: usually one. Returns the bytes of everything shown. */
  function sendPresence(socket: Socket, present: Presence[], gone: string[]): number {
    let page: { present: Presence[]; gone: string[] } = { present: [], gone: [] }
    let bytes = 0
    let total = 0
    function makeRoom(size: number): void {
      if (bytes > 0 && bytes + size > limits.batchBudgetBytes) {
        socket.send('presence:changed', { spaceId, ...page })
        page = { present: [], gone: [] }
        bytes = 0
      }
      bytes += size
    }
    for (const presence of present) {
      const size = utf8Length(JSON.stringify(presence))
      makeRoom(size)
      page.present.push(presence)
      total += size
    }
    for (const id of gone) {
      makeRoom(utf8Length(JSON.stringify(id)) + 1)
      page.gone.push(id)
    }
    socket.send('presence:changed', { spaceId, ...page })
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
      occupants.set(socket.id, {
        connection,
        role,
        shown,
        shownBytes,
        isBehind: false,
        lacksSeal: false,
        missedPresence,
      })
      const others = [...occupants.values()].filter((occupant) => occupant.connection.socket.id !== socket.id)
      return sendPresence(socket, others.flatMap(presenceOf), [])
    },
    leave,

    append: (commit) => {
      newest = commit
      const { logId, epoch, after, cursor, userId, at, batch, originId } = commit
      const commits = [{ after, userId, at }]
      const payload: NotificationPayload<'ops:appended'> = {
        spaceId,
        logId,
        epoch,
        after,
        cursor,
        batch,
        commits,
      }
      for (const occupant of occupants.values()) {
        const { socket } = occupant.connection
        if (socket.id === originId) continue
        occupant.isBehind = isSlow(occupant.connection) || occupant.lacksSeal
        if (occupant.isBehind) {
          occupant.connection.missing.add(spaceId)
          continue
        }
        socket.send('ops:appended', payload)
      }
    },

    unseal: () => {
      for (const occupant of occupants.values()) {
        occupant.lacksSeal = true
        occupant.connection.missing.add(spaceId)
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

    catchUp: (connection, seal) => {
      const { socket } = connection
      const occupant = occupants.get(socket.id)
      if (occupant === undefined || isSlow(connection)) return 0
      connection.missing.delete(spaceId)
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
      let bytes = 0
      if (occupant.lacksSeal) {
        const sealed = seal()
        occupant.lacksSeal = false
        socket.send('space:sealed', { spaceId, ...sealed })
        bytes = sealed.seal.length
      }
      if (!occupant.isBehind || newest === undefined) return bytes
      occupant.isBehind = false
      const { logId, epoch, cursor } = newest
      const batch = encodeBatch({ spaceId, ops: [] })
      socket.send('ops:appended', { spaceId, logId, epoch, after: cursor, cursor, batch, commits: [] })
      return bytes
    },
  }
}
