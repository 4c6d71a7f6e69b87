import type { ErrorBody, NotificationName, NotificationPayload } from '@t69/protocol'

/** A client's socket, as the gateway uses it: Socket.io, or a simulated network. */
export interface Socket {
  readonly id: string
  /** The client's address, for the log. */
  readonly address?: string | undefined
  /** Whether the client takes compressed pages. */
  readonly takesCompressed: boolean
  send<N extends NotificationName>(name: N, payload: NotificationPayload<N>): void
  /** Ends the connection. `reason` reaches the client if the transport can carry it. */
  disconnect(reason: ErrorBody): void
  /** Bytes that wait for the network, for a slow reader. */
  backlogBytes(): number
}
