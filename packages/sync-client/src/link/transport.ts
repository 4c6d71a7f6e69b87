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

/** One attempt at a connection. It opens at most once and closes once; it is not used again after `closed`. */
export interface Connection {
  /**
   * Sends a request. `answered` is called once: with its ack, or with `unavailable` after the connection has closed. Acks
   * and notifications come in the order in which the server sent them. A promise could not promise that: where several
   * messages arrive at once, its reactions run after the notifications that follow the ack.
   */
  request<N extends RequestName>(
    name: N,
    payload: RequestPayload<N>,
    answered: (ack: Ack<RequestReply<N>>) => void,
  ): void
  /** Sends a signal, which nobody acknowledges. It is dropped if the connection is not open. */
  signal<N extends SignalName>(name: N, payload: SignalPayload<N>): void
  /**
   * How long nothing has arrived, by the wall clock, and the longest that a live server stays silent, both in ms.
   * After `boundMs` the server has given the connection up as well. A transport without this method notices a dead
   * connection in time even if the device's timers stood still.
   */
  silence?(): { readonly forMs: number; readonly boundMs: number }
  /** Closes the connection. The listener is not called after it. */
  close(): void
}

export interface ConnectionListener {
  opened(): void
  /** Every payload has passed its schema. */
  notified<N extends NotificationName>(name: N, payload: NotificationPayload<N>): void
  /**
   * Called once, when the handshake was refused, the network failed, or the server closed the connection. Not called
   * after `close()`.
   */
  closed(error: ErrorBody): void
}

/** Makes connections: over Socket.io in the product, over a simulated network in the simulation. */
export interface Transport {
  /** Starts one attempt. The listener may be called before this returns. */
  connect(handshake: Handshake, listener: ConnectionListener): Connection
}
