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

import type { Tokens } from '../platform/tokens.ts'
import type { Access } from '../spaces/access.ts'
import type { Logger } from '../spaces/logger.ts'
import type { ServerRuntime } from '../spaces/server-runtime.ts'
import type { Spaces } from '../spaces/spaces.ts'

/** One client's socket as the gateway sees it: Socket.io in the product, a simulated network in the simulation. */
export interface Socket {
  readonly id: string
  send<N extends NotificationName>(name: N, payload: NotificationPayload<N>): void
  /** Ends the connection; `reason` reaches the client where the transport can carry it. */
  disconnect(reason: ErrorBody): void
  /** Bytes that wait for the network: what a slow reader costs. */
  backlogBytes(): number
}

/** What the gateway offers to the transport, once the handshake has passed. Payloads come as they arrived, unparsed. */
export interface GatewayConnection {
  /** Calls `ack` once, in log order with what is sent to the socket: at once, or at the commit of a push. */
  request<N extends RequestName>(name: N, payload: unknown, ack: (reply: Ack<RequestReply<N>>) => void): void
  signal(name: SignalName, payload: unknown): void
  /** The backlog is gone: whoever was too slow for appends is told to pull. */
  drained(): void
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

export interface GatewayOptions {
  readonly spaces: Spaces
  readonly access: Access
  readonly tokens: Tokens
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
  readonly limits?: Partial<GatewayLimits>
}

/** Per socket. */
export interface GatewayLimits {
  readonly requestsPerSecond: number
  readonly requestBurst: number
  readonly signalsPerSecond: number
  readonly signalBurst: number
  /** Beyond this many waiting bytes, nothing but acks is sent. */
  readonly maxBacklogBytes: number
}

export function createGateway(_options: GatewayOptions): Gateway {
  throw new Error('not yet')
}
