import {
  type Ack,
  type ErrorBody,
  type RequestName,
  type RequestReply,
  type SignalName,
  type SocketData,
  type SpaceId,
  SyncError,
  type UserId,
} from '@t69/protocol'

import { createTokenBucket } from '../limits/token-bucket.ts'
import { createUserLimits, defaultUserLimits, type UserLimits } from '../limits/user-limits.ts'
import type { Access } from '../ports/access.ts'
import type { LiveSockets } from '../ports/live-sockets.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import { type Metrics, noMetrics } from '../ports/metrics.ts'
import { type ServerRuntime, systemServerRuntime } from '../ports/server-runtime.ts'
import type { Tokens } from '../ports/tokens.ts'
import type { Spaces } from '../spaces/spaces.ts'
import type { Connection } from './connection.ts'
import { isSlow } from './is-slow.ts'
import { parseRequest } from './parse-payload.ts'
import { createRequestHandlers } from './request-handlers.ts'
import { createRooms } from './rooms.ts'
import { createSignalHandlers } from './signal-handlers.ts'
import type { Socket } from './socket.ts'
import { createTokenTimers, type TokenTimers } from './token-timers.ts'

export type { Socket } from './socket.ts'

/** What the gateway offers to the transport, once the handshake has passed. Payloads come as they arrived, unparsed. */
export interface GatewayConnection {
  /** Calls `ack` once, in log order with what is sent to the socket: at once, or at the commit of a push. */
  request<N extends RequestName>(name: N, payload: unknown, ack: (reply: Ack<RequestReply<N>>) => void): void
  signal(name: SignalName, payload: unknown): void
  /** Called with the size of whatever comes, before it is handed over. Ends a connection that floods. */
  received(bytes: number): void
  /** The backlog is gone: whoever was too slow for appends is told to pull. */
  drained(): void
  /** The socket is gone. */
  closed(): void
}

export interface Gateway extends LiveSockets {
  /** How many sockets are connected. */
  readonly size: number
  /** Whether a further socket of this user may connect. Throws `rate_limited`, and `unavailable` while it closes. */
  checkSocket(data: SocketData): void
  connect(socket: Socket, data: SocketData): GatewayConnection
  /** Somebody changed the accounts by hand: cuts sockets whose session is gone, and tells of roles that changed. */
  accessReviewed(isSessionLive: (data: SocketData) => boolean): void
  /** Tells every client, stops taking requests, waits for those under way. */
  close(): Promise<void>
}

export interface GatewayOptions {
  readonly spaces: Spaces
  readonly access: Access
  readonly tokens: Tokens
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
  readonly metrics?: Metrics
  readonly limits?: Partial<GatewayLimits>
  /** Over all connections of a user. */
  readonly userLimits?: UserLimits
}

/** Per socket. */
export interface GatewayLimits {
  readonly requestsPerSecond: number
  readonly requestBurst: number
  readonly signalsPerSecond: number
  readonly signalBurst: number
  /** Each reads a whole tree. A device compares the trees that it has open, minutes apart. */
  readonly comparesPerSecond: number
  readonly compareBurst: number
  /** Beyond this many waiting bytes, nothing but acks is sent. */
  readonly maxBacklogBytes: number
}

const defaultLimits: GatewayLimits = {
  // A client joins and pulls all of its spaces when it connects.
  requestsPerSecond: 200,
  requestBurst: 1_000,
  signalsPerSecond: 100,
  signalBurst: 200,
  comparesPerSecond: 0.5,
  compareBurst: 50,
  maxBacklogBytes: 4 * 1024 * 1024,
}

/** What a message counts as besides its bytes: the smallest ones cost something too. */
const messageBytes = 256

/** A connection while it lasts. */
interface LiveConnection extends Connection {
  readonly timers: TokenTimers
}

/** Parses what comes in, checks the right that each event takes, and keeps who is in which space. */
export function createGateway(options: GatewayOptions): Gateway {
  const {
    spaces,
    access,
    tokens,
    runtime = systemServerRuntime,
    logger = silentLogger,
    metrics = noMetrics,
  } = options
  const limits: GatewayLimits = { ...defaultLimits, ...options.limits }
  const { now } = runtime
  const userLimits = options.userLimits ?? createUserLimits(defaultUserLimits, now)
  const live = new Map<Connection, LiveConnection>()
  const rooms = createRooms(limits.maxBacklogBytes)
  const handlers = createRequestHandlers({
    spaces,
    access,
    tokens,
    rooms,
    logger,
    metrics,
    now,
    maxBacklogBytes: limits.maxBacklogBytes,
    renewed: (connection) => live.get(connection)?.timers.restart(connection.data.tokenExpiresAt),
  })
  const signalHandlers = createSignalHandlers({
    access,
    rooms,
    logger,
    maxShownBytes: userLimits.maxShownBytes,
  })
  let requestsUnderWay = 0
  let isClosing = false
  let whenIdle = () => {}

  spaces.publishTo(
    (commit) => guarded('ops:appended', () => rooms.find(commit.spaceId)?.append(commit)),
    (spaceId) => guarded('space:closed', () => rooms.expelAll(spaceId, 'changed')),
  )

  function forget(connection: LiveConnection): void {
    connection.timers.stop()
    if (live.delete(connection)) userLimits.disconnected(connection.data.userId, connection.socket)
    rooms.leaveAll(connection)
  }

  function end(connection: LiveConnection, reason: ErrorBody): void {
    forget(connection)
    connection.socket.disconnect(reason)
  }

  function errorBodyOf(error: unknown, event: string): ErrorBody {
    if (error instanceof SyncError) return error.body
    logger.error({ err: error, event }, 'a handler failed')
    return { code: 'internal', message: 'the server failed; it has been logged' }
  }

  /** What fails for one socket must not keep others from what comes after it in the same turn. */
  function guarded(event: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      errorBodyOf(error, event)
    }
  }

  function memberChanged(spaceId: SpaceId, userId: UserId): void {
    const role = access.roleOf(spaceId, userId)
    for (const { connection, role: before } of rooms.find(spaceId)?.members() ?? []) {
      if (connection.data.userId !== userId || role === before) continue
      rooms.expel(connection, spaceId, role === undefined ? 'removed' : 'changed')
    }
  }

  return {
    get size() {
      return live.size
    },
    checkSocket: ({ userId }) => {
      // Who was told to go finds the next process later, and is not let in to be told once more.
      if (isClosing) throw SyncError.from({ ...shuttingDown, retryAfterMs: 1_000 })
      userLimits.checkSocket(userId)
    },
    connect: (socket, data) => {
      const allowance = userLimits.of(data.userId)
      userLimits.connected(data.userId, socket)
      const connection: LiveConnection = {
        socket,
        data,
        allowance,
        joined: new Set(),
        timers: createTokenTimers(runtime, {
          expiring: (expiresInMs) => socket.send('auth:expiring', { expiresInMs }),
          expired: () =>
            end(connection, { code: 'unauthenticated', message: 'the access token has expired' }),
        }),
      }
      const requestTokens = createTokenBucket(
        { perSecond: limits.requestsPerSecond, burst: limits.requestBurst },
        now,
      )
      const signalTokens = createTokenBucket(
        { perSecond: limits.signalsPerSecond, burst: limits.signalBurst },
        now,
      )
      const compareTokens = createTokenBucket(
        { perSecond: limits.comparesPerSecond, burst: limits.compareBurst },
        now,
      )
      live.set(connection, connection)
      connection.timers.restart(data.tokenExpiresAt)
      // Not at once: whoever connects does not have the connection yet.
      if (isClosing) runtime.schedule(() => end(connection, shuttingDown))

      return {
        request: (name, payload, ack) => {
          requestsUnderWay++
          let isSettled = false
          const settle: typeof ack = (reply) => {
            if (isSettled) return
            isSettled = true
            requestsUnderWay--
            guarded(name, () => ack(reply))
            if (requestsUnderWay === 0) whenIdle()
          }
          const refuse = (error: unknown): void => {
            const body = errorBodyOf(error, name)
            metrics.refused(name, body.code)
            settle({ ok: false, error: body })
          }
          try {
            if (isClosing || !live.has(connection)) throw SyncError.from(shuttingDown)
            // Acks are never left out, so whoever asks on and reads nothing would have them pile up for ever.
            if (isSlow(connection, 2 * limits.maxBacklogBytes)) {
              logger.warn({ connectionId: socket.id }, 'a client asks on and reads nothing, and is cut off')
              end(connection, deaf)
              throw SyncError.from(deaf)
            }
            const retryAfterMs =
              allowance.bytes.waitMs() ||
              requestTokens.take() ||
              allowance.requests.take() ||
              (name === 'tree:compare' ? compareTokens.take() : 0)
            if (retryAfterMs > 0) throw new SyncError('rate_limited', 'too many requests', { retryAfterMs })
            handlers[name](connection, parseRequest(name, payload), settle)?.catch(refuse)
          } catch (error) {
            refuse(error)
          }
        },

        signal: (name, payload) => {
          guarded(name, () => {
            if (!live.has(connection) || allowance.bytes.waitMs() > 0) return
            if (signalTokens.take() > 0 || allowance.signals.take() > 0) return
            signalHandlers[name](connection, payload)
          })
        },

        received: (bytes) => {
          allowance.bytes.spend(bytes + messageBytes)
          if (!allowance.isFlooding || !live.has(connection)) return
          const { userId } = connection.data
          logger.warn({ userId, connectionId: socket.id }, 'a user sends on though refused, and is cut off')
          end(connection, flooding)
        },

        drained: () => {
          for (const spaceId of connection.joined) {
            guarded('drained', () => {
              rooms.find(spaceId)?.catchUp(connection, () => spaces.open(spaceId).state)
            })
          }
        },

        closed: () => forget(connection),
      }
    },

    memberChanged,
    spaceDeleted: (spaceId) => rooms.expelAll(spaceId, 'deleted'),
    sessionEnded: (sessionId) => {
      for (const connection of live.values()) {
        if (connection.data.sessionId !== sessionId) continue
        end(connection, sessionOver)
      }
    },
    accessReviewed: (isSessionLive) => {
      for (const connection of live.values()) {
        if (!isSessionLive(connection.data)) end(connection, sessionOver)
        else for (const spaceId of connection.joined) memberChanged(spaceId, connection.data.userId)
      }
    },

    close: async () => {
      isClosing = true
      if (requestsUnderWay > 0) await new Promise<void>((resolve) => (whenIdle = resolve))
      for (const connection of live.values()) {
        for (const spaceId of connection.joined) rooms.expel(connection, spaceId, 'unavailable')
        end(connection, shuttingDown)
      }
    },
  }
}

const sessionOver: ErrorBody = { code: 'unauthenticated', message: 'the session has ended' }
const flooding: ErrorBody = { code: 'rate_limited', message: 'far too much was sent' }
const deaf: ErrorBody = { code: 'rate_limited', message: 'read what was sent first' }
const shuttingDown: ErrorBody = { code: 'unavailable', message: 'the server is shutting down' }
