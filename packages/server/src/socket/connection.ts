import type { SocketData, SpaceId } from '@t69/protocol'

import type { Allowance } from '../limits/user-limits.ts'
import type { Socket } from './socket.ts'

/** A socket and whose it is. */
export interface Connection {
  readonly socket: Socket
  /** Changes when the token is renewed. */
  data: SocketData
  /** What its user may still cause, shared by all of the user's connections. */
  readonly allowance: Allowance
  /** Kept by the rooms. */
  readonly joined: Set<SpaceId>
}
