import type { Ack, RequestName, RequestReply, SignalName } from '@t69/protocol'

/** A connected socket, as the transport sees it after the handshake. Payloads come as they arrived, unparsed. */
export interface GatewayConnection {
  /** Calls `ack` once, at once or at the commit of a push. Acks and what the socket is sent keep the log's order. */
  request<N extends RequestName>(name: N, payload: unknown, ack: (reply: Ack<RequestReply<N>>) => void): void
  signal(name: SignalName, payload: unknown): void
  /** Takes the size of each packet, before the packet itself. Ends a connection that floods. */
  received(bytes: number): void
  /** The backlog is gone: sends what the socket missed while it was too slow. */
  drained(): void
  /** The socket is gone. `why` is for the log. */
  closed(why?: string): void
}
