import type {
  Ack,
  ErrorBody,
  NotificationName,
  NotificationPayload,
  RequestName,
  RequestReply,
  SignalName,
  SocketData,
  SpaceId,
  UserId,
} from '@t69/protocol'

/** One client's socket as the gateway sees it: Socket.io in the product, a simulated network in the simulation. */
export interface Socket {
  readonly id: string
  send<N extends NotificationName>(name: N, payload: NotificationPayload<N>): void
  /** Ends the connection; `reason` reaches the client where the transport can carry it. */
  disconnect(reason: ErrorBody): void
}

/** What the gateway offers to the transport, once the handshake has passed. Payloads come as they arrived, unparsed. */
export interface GatewayConnection {
  request<N extends RequestName>(name: N, payload: unknown): Promise<Ack<RequestReply<N>>>
  signal(name: SignalName, payload: unknown): void
  /** The socket is gone. */
  closed(): void
}

/** The calls by which the HTTP side tells live sockets that something changed. Each takes effect before it returns. */
export interface Gateway {
  connect(socket: Socket, data: SocketData): GatewayConnection
  /** A member was added, removed or got another role. */
  memberChanged(spaceId: SpaceId, userId: UserId): void
  spaceDeleted(spaceId: SpaceId): void
  /** Signed out, or the session was ended for reuse of its refresh token. */
  sessionEnded(sessionId: string): void
  /** Tells every client, stops taking requests, waits for those under way. */
  close(): Promise<void>
}
