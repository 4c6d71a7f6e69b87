import type { SocketData, SpaceId } from '@t69/protocol'

import type { Allowance } from '../limits/user-limits.ts'
import type { Socket } from './socket.ts'

/** A socket and its signed-in user. */
export interface UserConnection {
  readonly socket: Socket
  /** Replaced when the access token is renewed. */
  data: SocketData
  /** What the user may still do, shared by all of the user's connections. */
  readonly allowance: Allowance
  /** The spaces that the socket is in. Only the rooms change it. */
  readonly joined: Set<SpaceId>
  /** Those of them in which something was left out for it because it was slow. Only the rooms change it. */
  readonly missing: Set<SpaceId>
  /** Its joins that are under way. Leaving the space takes them out, and they then fail. */
  readonly entering: Set<{ readonly spaceId: SpaceId }>
  /** Whether the gateway has let go of the connection. What it asked before is not done any more. */
  isOver: boolean
}

/** Whose connection it is, for the log. */
export function whose({ socket, data }: UserConnection): object {
  const { id: connectionId, address } = socket
  return { connectionId, address, userId: data.userId, sessionId: data.sessionId }
}
