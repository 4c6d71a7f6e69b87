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
}
