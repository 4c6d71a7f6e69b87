import type {
  Ack,
  ErrorBody,
  Handshake,
  NotificationName,
  NotificationPayload,
  RequestName,
  RequestPayload,
  RequestReply,
  SignalName,
  SignalPayload,
} from '@t69/protocol'

/** One attempt at a connection. It opens or closes once; after `closed` it is dead. */
export interface Connection {
  /** Resolves with the ack; with `unavailable` when the connection closes or the deadline passes first. */
  request<N extends RequestName>(name: N, payload: RequestPayload<N>): Promise<Ack<RequestReply<N>>>
  /** Sent now or never. */
  signal<N extends SignalName>(name: N, payload: SignalPayload<N>): void
  /**
   * How long nothing has come, by the wall clock, and how long that may last: the other end has given up by
   * then, too. A transport without it notices in time whatever happens to its timers.
   */
  silence?(): { readonly forMs: number; readonly boundMs: number }
  close(): void
}

export interface ConnectionListener {
  opened(): void
  /** Every payload has passed its schema. */
  notified<N extends NotificationName>(name: N, payload: NotificationPayload<N>): void
  /** Called once: the handshake was refused, the network went, the server closed it. Not after `close()`. */
  closed(error: ErrorBody): void
}

/** Socket.io in the product, a simulated network in the simulation. */
export interface Transport {
  connect(handshake: Handshake, listener: ConnectionListener): Connection
}
