import type { SocketData, SpaceId } from '@t69/protocol'

import type { Socket } from './socket.ts'

/** A socket and whose it is. */
export interface Connection {
  readonly socket: Socket
  /** Changes when the token is renewed. */
  data: SocketData
  /** Kept by the rooms. */
  readonly joined: Set<SpaceId>
}
