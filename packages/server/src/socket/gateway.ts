import { type ErrorBody, type SocketData, type SpaceId, SyncError, type UserId } from '@t69/protocol'

import { createUserLimits, defaultUserLimits, type UserLimits } from '../limits/user-limits.ts'
import type { Access } from '../ports/access.ts'
import type { LiveSockets } from '../ports/live-sockets.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import { type Metrics, noMetrics } from '../ports/metrics.ts'
import { type ServerRuntime, systemServerRuntime } from '../ports/server-runtime.ts'
import type { Tokens } from '../ports/tokens.ts'
import type { Spaces } from '../spaces/spaces.ts'
import { answerEvents, shuttingDown } from './answer-events.ts'
import { createFaults } from './faults.ts'
import type { GatewayConnection } from './gateway-connection.ts'
import { defaultGatewayLimits, type GatewayLimits } from './gateway-limits.ts'
import { createRequestHandlers } from './request-handlers.ts'
import { createRequestsUnderWay } from './requests-under-way.ts'
import { createRooms } from './rooms.ts'
import { createSignalHandlers } from './signal-handlers.ts'
import { createSocketRates } from './socket-rates.ts'
import type { Socket } from './socket.ts'
import { createTokenTimers, type TokenTimers } from './token-timers.ts'
import type { UserConnection } from './user-connection.ts'

export interface Gateway extends LiveSockets {
  /** How many sockets are connected. */
  readonly size: number
  /** Checks that another socket of this user may connect. Throws `rate_limited`, and `unavailable` while closing. */
  checkSocket(data: SocketData): void
  connect(socket: Socket, data: SocketData): GatewayConnection
  /** Somebody changed the accounts by hand: ends sockets whose session is gone, and tells others of changed roles. */
  accessReviewed(isSessionLive: (data: SocketData) => boolean): void
  /** Waits for requests under way, tells every client, and ends every socket. Takes no request from the call on. */
  close(): Promise<void>
}

export interface GatewayOptions {
  readonly spaces: Spaces
  readonly access: Access
  readonly tokens: Tokens
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
  readonly metrics?: Metrics
  /** Limits of one socket. */
  readonly limits?: Partial<GatewayLimits>
  /** Limits of one user, over all of the user's connections. */
  readonly userLimits?: UserLimits
}

interface LiveConnection extends UserConnection {
  readonly timers: TokenTimers
}

/** Keeps the connected sockets and who is in which space, and tells them of commits and of changed access. */
export function createGateway({
  spaces,
  access,
  tokens,
  runtime = systemServerRuntime,
  logger = silentLogger,
  metrics = noMetrics,
  limits: givenLimits,
  userLimits = createUserLimits(defaultUserLimits, runtime.now),
}: GatewayOptions): Gateway {
  const limits: GatewayLimits = { ...defaultGatewayLimits, ...givenLimits }
  const { now } = runtime
  const { maxBacklogBytes } = limits
  const live = new Map<UserConnection, LiveConnection>()
  const rooms = createRooms(maxBacklogBytes)
  const faults = createFaults(logger)
  const underWay = createRequestsUnderWay()
  const handlers = createRequestHandlers({
    spaces,
    access,
    tokens,
    rooms,
    logger,
    metrics,
    now,
    maxBacklogBytes,
    renewed: (connection) => live.get(connection)?.timers.restart(connection.data.tokenExpiresAt),
  })
  const { maxShownBytes } = userLimits
  const signalHandlers = createSignalHandlers({ access, rooms, logger, maxShownBytes })
  let isClosing = false

  spaces.publishTo(
    (commit) => faults.contain('ops:appended', () => rooms.find(commit.spaceId)?.append(commit)),
    (spaceId) => faults.contain('space:closed', () => rooms.expelAll(spaceId, 'changed')),
  )

  function connect(socket: Socket, data: SocketData): GatewayConnection {
    const allowance = userLimits.of(data.userId)
    userLimits.connected(data.userId, socket)
    const connection: LiveConnection = {
      socket,
      data,
      allowance,
      joined: new Set(),
      timers: createTokenTimers(runtime, {
        expiring: (expiresInMs) => socket.send('auth:expiring', { expiresInMs }),
        expired: () => end(connection, tokenExpired),
      }),
    }
    live.set(connection, connection)
    connection.timers.restart(data.tokenExpiresAt)
    // Later in this turn: the caller does not have the connection yet.
    if (isClosing) runtime.schedule(() => end(connection, shuttingDown))
    return {
      ...answerEvents(connection, {
        handlers,
        signalHandlers,
        rates: createSocketRates(limits, allowance, now),
        underWay,
        faults,
        logger,
        metrics,
        maxBacklogBytes,
        isClosing: () => isClosing,
        isLive: () => live.has(connection),
        end: (reason) => end(connection, reason),
      }),
      drained: () => {
        for (const spaceId of connection.joined) {
          const catchUp = () => rooms.find(spaceId)?.catchUp(connection, () => spaces.open(spaceId).state)
          faults.contain('drained', catchUp)
        }
      },
      closed: () => forget(connection),
    }
  }

  function forget(connection: LiveConnection): void {
    connection.timers.stop()
    if (live.delete(connection)) userLimits.disconnected(connection.data.userId, connection.socket)
    rooms.leaveAll(connection)
  }

  function end(connection: LiveConnection, reason: ErrorBody): void {
    forget(connection)
    connection.socket.disconnect(reason)
  }

  function memberChanged(spaceId: SpaceId, userId: UserId): void {
    const role = access.roleOf(spaceId, userId)
    for (const { connection, role: before } of rooms.find(spaceId)?.occupants() ?? []) {
      if (connection.data.userId !== userId || role === before) continue
      rooms.expel(connection, spaceId, role === undefined ? 'removed' : 'changed')
    }
  }

  return {
    get size() {
      return live.size
    },
    checkSocket: ({ userId }) => {
      // A client that was told to go should find the next process, not be let in and told to go once more.
      if (isClosing) throw SyncError.from({ ...shuttingDown, retryAfterMs: 1_000 })
      userLimits.checkSocket(userId)
    },
    connect,
    memberChanged,
    spaceDeleted: (spaceId) => rooms.expelAll(spaceId, 'deleted'),
    sessionEnded: (sessionId) => {
      for (const connection of live.values()) {
        if (connection.data.sessionId === sessionId) end(connection, sessionOver)
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
      await underWay.finished()
      for (const connection of live.values()) {
        for (const spaceId of connection.joined) rooms.expel(connection, spaceId, 'unavailable')
        end(connection, shuttingDown)
      }
    },
  }
}

const tokenExpired: ErrorBody = { code: 'unauthenticated', message: 'the access token has expired' }
const sessionOver: ErrorBody = { code: 'unauthenticated', message: 'the session has ended' }
