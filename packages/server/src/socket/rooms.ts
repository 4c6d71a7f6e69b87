import type { NotificationPayload, RoleName, SpaceId } from '@t69/protocol'

import { type Logger, silentLogger } from '../ports/logger.ts'
import { createRoom, type Room } from './room.ts'
import { type UserConnection, whose } from './user-connection.ts'

type CloseReason = NotificationPayload<'space:closed'>['reason']

/** The rooms of all spaces. A room exists while a socket is in it. */
export interface Rooms {
  find(spaceId: SpaceId): Room | undefined
  /** Puts the connection into the space's room. Returns how many bytes of presence it was sent. */
  enter(connection: UserConnection, spaceId: SpaceId, role: RoleName): number
  leave(connection: UserConnection, spaceId: SpaceId): void
  leaveAll(connection: UserConnection): void
  /** Takes the connection out of the space, in this turn, and tells it why. */
  expel(connection: UserConnection, spaceId: SpaceId, reason: CloseReason): void
  expelAll(spaceId: SpaceId, reason: CloseReason, but?: UserConnection): void
}

export function createRooms(maxBacklogBytes: number, logger: Logger = silentLogger): Rooms {
  const rooms = new Map<SpaceId, Room>()

  function leave(connection: UserConnection, spaceId: SpaceId): boolean {
    const room = rooms.get(spaceId)
    const wasIn = room?.leave(connection) ?? false
    if (room?.size === 0) rooms.delete(spaceId)
    connection.joined.delete(spaceId)
    connection.missing.delete(spaceId)
    for (const entering of connection.entering) {
      if (entering.spaceId === spaceId) connection.entering.delete(entering)
    }
    return wasIn
  }

  function expel(connection: UserConnection, spaceId: SpaceId, reason: CloseReason): void {
    if (!leave(connection, spaceId)) return
    connection.socket.send('space:closed', { spaceId, reason })
    logger.info({ ...whose(connection), spaceId, why: reason }, 'left')
  }

  return {
    find: (spaceId) => rooms.get(spaceId),
    enter: (connection, spaceId, role) => {
      const room = rooms.get(spaceId) ?? createRoom(spaceId, maxBacklogBytes)
      rooms.set(spaceId, room)
      if (!connection.joined.has(spaceId)) logger.info({ ...whose(connection), spaceId, role }, 'joined')
      connection.joined.add(spaceId)
      return room.enter(connection, role)
    },
    leave: (connection, spaceId) => {
      if (leave(connection, spaceId)) logger.info({ ...whose(connection), spaceId }, 'left')
    },
    leaveAll: (connection) => {
      for (const spaceId of connection.joined) leave(connection, spaceId)
    },
    expel,
    expelAll: (spaceId, reason, but) => {
      for (const { connection } of rooms.get(spaceId)?.occupants() ?? []) {
        if (connection !== but) expel(connection, spaceId, reason)
      }
    },
  }
}
