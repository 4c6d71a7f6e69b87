import {
  type Ack,
  decodeBatch,
  type ErrorBody,
  type NotificationPayload,
  type ParsedPayload,
  type RequestName,
  type RequestReply,
  type Role,
  type SignalName,
  type SocketData,
  type SpaceId,
  SyncError,
  type UserId,
} from '@t69/protocol'

import type { Tokens } from '../platform/tokens.ts'
import type { Access } from '../spaces/access.ts'
import { type Logger, silentLogger } from '../spaces/logger.ts'
import { type ServerRuntime, systemServerRuntime } from '../spaces/server-runtime.ts'
import type { Spaces } from '../spaces/spaces.ts'
import { parseRequest, parseSignal } from './parse-payload.ts'
import { createRoom, type Occupant, type Room } from './room.ts'
import type { Socket } from './socket.ts'
import { createTokenBucket } from './token-bucket.ts'
import { createTokenTimers, type TokenTimers } from './token-timers.ts'

export type { Socket } from './socket.ts'

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

type CloseReason = NotificationPayload<'space:closed'>['reason']

const defaultLimits: GatewayLimits = {
  // A client joins and pulls all of its spaces when it connects.
  requestsPerSecond: 200,
  requestBurst: 1_000,
  signalsPerSecond: 100,
  signalBurst: 200,
  maxBacklogBytes: 4 * 1024 * 1024,
}

interface Connection extends Occupant {
  data: SocketData
  readonly joined: Set<SpaceId>
  readonly timers: TokenTimers
}

type Handlers = {
  [N in RequestName]: (
    connection: Connection,
    payload: ParsedPayload<N>,
    ack: (reply: Ack<RequestReply<N>>) => void,
  ) => void
}

/** Parses what comes in, checks the role on every event, and keeps who is in which space. */
export function createGateway({
  spaces,
  access,
  tokens,
  runtime = systemServerRuntime,
  logger = silentLogger,
  limits: given = {},
}: GatewayOptions): Gateway {
  const limits: GatewayLimits = { ...defaultLimits, ...given }
  const connections = new Set<Connection>()
  const rooms = new Map<SpaceId, Room<Connection>>()
  let pushesUnderWay = 0
  let isClosing = false
  let whenIdle = () => {}

  spaces.publishTo((commit) => guarded('ops:appended', () => rooms.get(commit.spaceId)?.append(commit)))

  function roomOf(spaceId: SpaceId): Room<Connection> {
    let room = rooms.get(spaceId)
    if (room === undefined) rooms.set(spaceId, (room = createRoom(spaceId, limits.maxBacklogBytes)))
    return room
  }

  function leave(connection: Connection, spaceId: SpaceId): boolean {
    const room = rooms.get(spaceId)
    const wasIn = room?.leave(connection.socket) ?? false
    if (room?.size === 0) rooms.delete(spaceId)
    connection.joined.delete(spaceId)
    return wasIn
  }

  function expel(connection: Connection, spaceId: SpaceId, reason: CloseReason): void {
    if (leave(connection, spaceId)) connection.socket.send('space:closed', { spaceId, reason })
  }

  function expelAll(spaceId: SpaceId, reason: CloseReason, but?: Connection): void {
    for (const connection of connections) if (connection !== but) expel(connection, spaceId, reason)
  }

  function end(connection: Connection, reason: ErrorBody): void {
    forget(connection)
    connection.socket.disconnect(reason)
  }

  function forget(connection: Connection): void {
    connection.timers.stop()
    connections.delete(connection)
    for (const spaceId of connection.joined) leave(connection, spaceId)
  }

  /** The role as it is now. Throws `not_found`: a stranger does not learn whether the space exists. */
  function roleIn(connection: Connection, spaceId: SpaceId): Role {
    const role = access.roleOf(spaceId, connection.data.userId)
    if (role !== undefined) return role
    expel(connection, spaceId, 'removed')
    throw new SyncError('not_found', 'there is no such space, or you are not a member')
  }

  function roleInJoined(connection: Connection, spaceId: SpaceId): Role {
    if (!connection.joined.has(spaceId)) throw new SyncError('not_joined', 'join the space first')
    return roleIn(connection, spaceId)
  }

  const handlers: Handlers = {
    'space:join': (connection, { spaceId, ...position }, ack) => {
      const role = roleIn(connection, spaceId)
      const { renewed, ...reply } = spaces.open(spaceId).join(position)
      if (renewed) {
        logger.warn({ spaceId, logId: reply.logId }, 'the log of a space has lost history and got a new id')
        expelAll(spaceId, 'changed', connection)
      }
      ack({ ok: true, ...reply, role })
      connection.joined.add(spaceId)
      roomOf(spaceId).enter(connection, role)
    },

    'space:leave': (connection, { spaceId }, ack) => {
      leave(connection, spaceId)
      ack(left)
    },

    'ops:push': (connection, { spaceId, batch }, ack) => {
      if (roleInJoined(connection, spaceId) === 'viewer') {
        throw new SyncError('forbidden', 'a viewer does not edit this space')
      }
      const decoded = decodeBatch(batch)
      if (decoded.spaceId !== spaceId) {
        throw new SyncError('invalid_batch', `the batch is of space ${decoded.spaceId}`)
      }
      pushesUnderWay++
      spaces.open(spaceId).push({ ops: decoded.ops, batch, originId: connection.socket.id }, (outcome) => {
        pushesUnderWay--
        // Others wait for the same commit: an ack that cannot be sent is this socket's trouble alone.
        guarded('ops:push', () => ack(outcome))
        if (pushesUnderWay === 0) whenIdle()
      })
    },

    'ops:pull': (connection, { spaceId, after }, ack) => {
      roleInJoined(connection, spaceId)
      // Pages that nobody reads must not pile up either.
      if (connection.socket.backlogBytes() > limits.maxBacklogBytes) {
        throw new SyncError('rate_limited', 'read what was sent first', { retryAfterMs: 1_000 })
      }
      ack({ ok: true, ...spaces.open(spaceId).pull(after) })
    },

    'auth:renew': (connection, { token }, ack) => {
      const data = tokens.verify(token)
      if (data.userId !== connection.data.userId) {
        throw new SyncError('forbidden', 'the token is of another user: connect anew')
      }
      connection.data = data
      connection.timers.restart(data.tokenExpiresAt)
      ack({ ok: true, expiresInMs: Math.max(0, data.tokenExpiresAt - runtime.now()) })
    },
  }

  function errorBodyOf(error: unknown, name: string): ErrorBody {
    if (error instanceof SyncError) return error.body
    logger.error({ err: error, event: name }, 'a handler failed')
    return { code: 'internal', message: 'the server failed; it has been logged' }
  }

  function guarded(name: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      errorBodyOf(error, name)
    }
  }

  return {
    connect: (socket, data) => {
      const connection: Connection = {
        socket,
        data,
        joined: new Set(),
        timers: createTokenTimers(runtime, {
          expiring: (expiresInMs) => socket.send('auth:expiring', { expiresInMs }),
          expired: () =>
            end(connection, { code: 'unauthenticated', message: 'the access token has expired' }),
        }),
      }
      const requestTokens = createTokenBucket(limits.requestsPerSecond, limits.requestBurst, runtime.now)
      const signalTokens = createTokenBucket(limits.signalsPerSecond, limits.signalBurst, runtime.now)
      connections.add(connection)
      connection.timers.restart(data.tokenExpiresAt)
      if (isClosing) end(connection, shuttingDown)

      return {
        request: (name, payload, ack) => {
          try {
            if (!connections.has(connection) || isClosing) throw SyncError.from(shuttingDown)
            const retryAfterMs = requestTokens.take()
            if (retryAfterMs > 0) throw new SyncError('rate_limited', 'too many requests', { retryAfterMs })
            handlers[name](connection, parseRequest(name, payload), ack)
          } catch (error) {
            ack({ ok: false, error: errorBodyOf(error, name) })
          }
        },

        signal: (name, payload) => {
          guarded(name, () => {
            if (connections.has(connection) && signalTokens.take() === 0) signal(connection, name, payload)
          })
        },

        drained: () => {
          for (const spaceId of connection.joined) {
            rooms.get(spaceId)?.catchUp(socket, () => spaces.open(spaceId).state)
          }
        },

        closed: () => forget(connection),
      }
    },

    memberChanged: (spaceId, userId) => {
      const role = access.roleOf(spaceId, userId)
      for (const { occupant, role: before } of rooms.get(spaceId)?.members() ?? []) {
        if (occupant.data.userId !== userId || role === before) continue
        expel(occupant, spaceId, role === undefined ? 'removed' : 'changed')
      }
    },
    spaceDeleted: (spaceId) => expelAll(spaceId, 'deleted'),
    sessionEnded: (sessionId) => {
      for (const connection of connections) {
        if (connection.data.sessionId !== sessionId) continue
        end(connection, { code: 'unauthenticated', message: 'the session has ended' })
      }
    },

    close: async () => {
      isClosing = true
      if (pushesUnderWay > 0) await new Promise<void>((resolve) => (whenIdle = resolve))
      for (const connection of connections) {
        for (const spaceId of connection.joined) {
          connection.socket.send('space:closed', { spaceId, reason: 'unavailable' })
        }
        end(connection, shuttingDown)
      }
    },
  }

  function signal(connection: Connection, name: SignalName, payload: unknown): void {
    switch (name) {
      case 'ops:transient': {
        const parsed = parseSignal(name, payload)
        if (parsed === undefined || roleInJoined(connection, parsed.spaceId) === 'viewer') return
        rooms.get(parsed.spaceId)?.passOn(connection.socket, parsed.changes)
        return
      }
      case 'presence:set': {
        const parsed = parseSignal(name, payload)
        if (parsed === undefined) return
        roleInJoined(connection, parsed.spaceId)
        rooms.get(parsed.spaceId)?.show(connection.socket, parsed.state)
      }
    }
  }
}

// An object type without fields is written as one that may have none at all, `ok` included.
const left = { ok: true } as Ack<RequestReply<'space:leave'>>

const shuttingDown: ErrorBody = { code: 'unavailable', message: 'the server is shutting down' }
