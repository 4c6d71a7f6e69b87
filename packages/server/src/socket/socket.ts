import type { ErrorBody, NotificationName, NotificationPayload } from '@t69/protocol'

/** One client's socket as the gateway sees it: Socket.io in the product, a simulated network in the simulation. */
export interface Socket {
  readonly id: string
  send<N extends NotificationName>(name: N, payload: NotificationPayload<N>): void
  /** Ends the connection; `reason` reaches the client where the transport can carry it. */
  disconnect(reason: ErrorBody): void
  /** Bytes that wait for the network: what a slow reader costs. */
  backlogBytes(): number
}
