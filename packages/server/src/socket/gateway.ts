import { type ErrorBody, type SocketData, type SpaceId, SyncError, type UserId } from '@t69/protocol'

import { createUserLimits, defaultUserLimits, type UserLimits } from '../limits/user-limits.ts'
import type { Access, SpaceAccessLists } from '../ports/access.ts'
import type { LiveSockets } from '../ports/live-sockets.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import { type Metrics, noMetrics } from '../ports/metrics.ts'
import { refusalDetails } from '../ports/refusal-details.ts'
import { type ServerRuntime, systemServerRuntime } from '../ports/server-runtime.ts'
import type { Tokens } from '../ports/tokens.ts'
import type { Spaces } from '../spaces/spaces.ts'
import { answerEvents, shuttingDown } from './answer-events.ts'
import { createFaults } from './faults.ts'
import type { GatewayConnection } from './gateway-connection.ts'
import { defaultGatewayLimits, type GatewayLimits } from './gateway-limits.ts'
import { isSlow } from './is-slow.ts'
import { createRequestHandlers } from './request-handlers.ts'
import { createRequestsUnderWay } from './requests-under-way.ts'
import { createRooms } from './rooms.ts'
import { createSignalHandlers } from './signal-handlers.ts'
import { createSocketRates } from './socket-rates.ts'
import type { Socket } from './socket.ts'
import { createTokenTimers, type TokenTimers } from './token-timers.ts'
import { type UserConnection, whose } from './user-connection.ts'

export interface Gateway extends LiveSockets {
  /** How many sockets are connected. */
  readonly size: number
  /** The connected sockets with numbers below `before`, the newest first, at most `limit`. */
  connections(page: { readonly before: number; readonly limit: number }): ConnectedSocket[]
  /** How many requests of sockets are not answered yet. */
  readonly requestsUnderWay: number
  /** Checks that another socket of this user may connect. Throws `rate_limited`, and `unavailable` while closing. */
  checkSocket(data: SocketData): void
  connect(socket: Socket, data: SocketData): GatewayConnection
  /** Charges a user for time of a core. */
  readonly spent: (userId: UserId, ms: number) => void
  /** Somebody changed the accounts by hand: ends sockets whose session is gone, and tells others of changed roles. */
  accessReviewed(isSessionLive: (data: SocketData) => boolean): void
  /** Waits for requests under way, tells every client, and ends every socket. Takes no request from the call on. */
  close(): Promise<void>
}

export interface GatewayOptions {
  readonly spaces: Spaces
  readonly access: Access
  readonly accessLists: SpaceAccessLists
  readonly tokens: Tokens
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
  readonly metrics?: Metrics
  /** Limits of one socket. */
  readonly limits?: Partial<GatewayLimits>
  /** Limits of one user, over all of the user's connections. */
  readonly userLimits?: UserLimits
}

/** A socket, as an admin sees it. */
export interface ConnectedSocket {
  /** Grows with each socket that connects. */
  readonly nr: number
  readonly userId: UserId
  readonly sessionId: string
  /** Unix milliseconds. */
  readonly since: number
  readonly joined: readonly SpaceId[]
}

interface LiveConnection extends UserConnection {
  readonly nr: number
  /** Unix milliseconds. */
  readonly since: number
  readonly timers: TokenTimers
  /** It is sent more of what it missed in the next turn. */
  isCatchingUp: boolean
}

/** Keeps the connected sockets and who is in which space, and tells them of commits and of changed access. */
export function createGateway({
  spaces,
  access,
  accessLists,
  tokens,
  runtime = systemServerRuntime,
  logger = silentLogger,
  metrics = noMetrics,
  limits: givenLimits,
  userLimits = createUserLimits(defaultUserLimits, runtime.monotonic),
}: GatewayOptions): Gateway {
  const limits: GatewayLimits = { ...defaultGatewayLimits, ...givenLimits }
  const { now } = runtime
  const { maxBacklogBytes } = limits
  const live = new Map<UserConnection, LiveConnection>()
  const rooms = createRooms(maxBacklogBytes, logger)
  const faults = createFaults(logger)
  const underWay = createRequestsUnderWay()
  const handlers = createRequestHandlers({
    spaces,
    access,
    accessLists,
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
  /** Spaces whose seals have to wait, and whether one does. */
  const sealHolds = new Map<SpaceId, { isDue: boolean }>()
  let connected = 0
  let isClosing = false

  const spent = (userId: UserId, ms: number): void => userLimits.of(userId).spendTime(ms)

  spaces.publishTo(
    (commit) => {
      const before = runtime.worked()
      faults.contain('ops:appended', () => rooms.find(commit.spaceId)?.append(commit))
      spent(commit.userId, runtime.worked() - before)
    },
    (spaceId) => faults.contain('space:closed', () => rooms.expelAll(spaceId, 'changed')),
    (spaceId) => rooms.find(spaceId) !== undefined,
  )

  function connect(socket: Socket, data: SocketData): GatewayConnection {
    const allowance = userLimits.of(data.userId)
    userLimits.connected(data.userId, socket)
    const connection: LiveConnection = {
      nr: ++connected,
      since: now(),
      socket,
      data,
      allowance,
      joined: new Set(),
      missing: new Set(),
      entering: new Set(),
      isOver: false,
      isCatchingUp: false,
      timers: createTokenTimers(runtime, {
        expiring: (expiresInMs) => socket.send('auth:expiring', { expiresInMs }),
        expired: () => end(connection, tokenExpired),
      }),
    }
    live.set(connection, connection)
    logger.info(whose(connection), 'connected')
    connection.timers.restart(data.tokenExpiresAt)
    // Later in this turn: the caller does not have the connection yet.
    if (isClosing) runtime.schedule(() => end(connection, shuttingDown))
    return {
      ...answerEvents(connection, {
        handlers,
        signalHandlers,
        rates: createSocketRates(limits, allowance, runtime.monotonic),
        underWay,
        faults,
        logger,
        metrics,
        maxBacklogBytes,
        isClosing: () => isClosing,
        isLive: () => live.has(connection),
        end: (reason) => end(connection, reason),
      }),
      drained: () => catchUp(connection),
      closed: (why) => forget(connection, { ...(why !== undefined && { why }) }),
    }
  }

  /** Sends what a socket missed: of a few rooms now, and of the others in later turns, while it reads. */
  function catchUp(connection: LiveConnection): void {
    if (connection.isCatchingUp) return
    for (const spaceId of [...connection.missing].slice(0, roomsAtOnce)) {
      faults.contain('drained', () =>
        rooms.find(spaceId)?.catchUp(connection, () => accessLists.seal(spaceId)),
      )
    }
    if (connection.missing.size === 0 || connection.isOver || isSlow(connection, maxBacklogBytes)) return
    connection.isCatchingUp = true
    runtime.schedule(() => {
      connection.isCatchingUp = false
      catchUp(connection)
    })
  }

  function forget(connection: LiveConnection, why: object): void {
    connection.timers.stop()
    connection.isOver = true
    if (live.delete(connection)) {
      userLimits.disconnected(connection.data.userId, connection.socket)
      logger.info({ ...whose(connection), spaces: connection.joined.size, ...why }, 'disconnected')
    }
    rooms.leaveAll(connection)
  }

  function end(connection: LiveConnection, reason: ErrorBody): void {
    forget(connection, refusalDetails(reason))
    connection.socket.disconnect(reason)
  }

  /** Whoever has another role, or none, is out of the space when this returns. */
  function expelChanged(spaceId: SpaceId): void {
    for (const { connection, role: before } of rooms.find(spaceId)?.occupants() ?? []) {
      const role = access.roleOf(spaceId, connection.data.userId)
      if (role !== before) rooms.expel(connection, spaceId, role === undefined ? 'removed' : 'changed')
    }
  }

  function accessChanged(spaceId: SpaceId): void {
    expelChanged(spaceId)
    sendSeal(spaceId)
  }

  function sendSeal(spaceId: SpaceId): void {
    const room = rooms.find(spaceId)
    if (room === undefined) return
    room.unseal()
    const hold = sealHolds.get(spaceId)
    if (hold !== undefined) {
      hold.isDue = true
      return
    }
    let bytes = 0
    for (const { connection } of room.occupants()) {
      faults.contain(
        'space:sealed',
        () => (bytes += room.catchUp(connection, () => accessLists.seal(spaceId))),
      )
    }
    if (bytes <= freeSealBytes) return
    const begun = { isDue: false }
    sealHolds.set(spaceId, begun)
    runtime.setTimer(() => {
      sealHolds.delete(spaceId)
      if (begun.isDue && !isClosing) sendSeal(spaceId)
    }, bytes / sealBytesPerMs)
  }

  return {
    get size() {
      return live.size
    },
    connections({ before, limit }) {
      const found: ConnectedSocket[] = []
      for (const { nr, since, data, joined } of [...live.values()].toReversed()) {
        if (nr >= before) continue
        if (found.length === limit) break
        found.push({ nr, since, userId: data.userId, sessionId: data.sessionId, joined: [...joined] })
      }
      return found
    },
    get requestsUnderWay() {
      return underWay.count
    },
    checkSocket: ({ userId }) => {
      // A client that was told to go should find the next process, not be let in and told to go once more.
      if (isClosing) throw SyncError.from({ ...shuttingDown, retryAfterMs: 1_000 })
      userLimits.checkSocket(userId)
    },
    connect,
    spent,
    accessChanged,
    spaceDeleted: (spaceId) => rooms.expelAll(spaceId, 'deleted'),
    sessionEnded: (sessionId) => {
      for (const connection of live.values()) {
        if (connection.data.sessionId === sessionId) end(connection, sessionOver)
      }
    },
    accessReviewed: (isSessionLive) => {
      for (const connection of live.values()) {
        if (!isSessionLive(connection.data)) end(connection, sessionOver)
      }
      for (const spaceId of new Set([...live.values()].flatMap(({ joined }) => [...joined]))) {
        expelChanged(spaceId)
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

/** Rooms of which a socket is sent in one turn what it missed. */
const roomsAtOnce = 16

/** Bytes of one change's seals, to all sockets of a space, after which the next change's need not wait. */
const freeSealBytes = 256 * 1024
/** Above that, bytes of seals a millisecond: one who joins and leaves again and again must not fill every line. */
const sealBytesPerMs = 10_000

const tokenExpired: ErrorBody = { code: 'unauthenticated', message: 'the access token has expired' }
const sessionOver: ErrorBody = { code: 'unauthenticated', message: 'the session has ended' }
