import type { Server as HttpServer } from 'node:http'

import {
  type ClientToServerEvents,
  limits,
  type RequestName,
  requests,
  signals,
  type SignalName,
  type SocketData,
} from '@t69/protocol'
import { type DefaultEventsMap, Server, type Socket as IoSocket } from 'socket.io'
import { WebSocket } from 'ws'

import { errorBodyOf } from '../ports/error-body.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import { refusalDetails } from '../ports/refusal-details.ts'
import { type ServerRuntime, systemServerRuntime } from '../ports/server-runtime.ts'
import type { Tokens } from '../ports/tokens.ts'
import { type Backlog, sizeOf, watchBacklog } from './backlog.ts'
import { createAddressOf } from './client-address.ts'
import { createDoor, type Door, type Guest } from './door.ts'
import type { Gateway } from './gateway.ts'
import { guardHandshakes } from './guard-handshake.ts'
import { checkHandshake, takesCompressed } from './handshake.ts'
import { type AddressLimits, limitAddresses, tooManyRetryMs } from './limit-addresses.ts'
import { refuseLikeHttp } from './refuse-engine.ts'
import type { Socket } from './socket.ts'
import { OwnWebSocketServer, streamOf } from './web-socket-server.ts'
import { writeOnceATurn } from './write-once-a-turn.ts'

export interface SocketIoOptions {
  readonly gateway: Gateway
  readonly tokens: Tokens
  /** Other origins whose pages may connect. Default: none. */
  readonly corsOrigin?: string | readonly string[] | undefined
  readonly addressLimits?: AddressLimits
  /**
   * Both ends notice a dead connection after `intervalMs + timeoutMs` at the latest: the client is told both numbers
   * when it connects.
   */
  readonly pings?: { readonly intervalMs: number; readonly timeoutMs: number }
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
}

const defaultPings = { intervalMs: 25_000, timeoutMs: 20_000 }

const noAddressLimits: AddressLimits = { trustProxy: false, perAddress: Infinity }

// Server events are typed by `Socket.send` instead, which pairs each name with its payload.
type TypedServer = Server<ClientToServerEvents, DefaultEventsMap, DefaultEventsMap, SocketData>
type TypedSocket = IoSocket<ClientToServerEvents, DefaultEventsMap, DefaultEventsMap, SocketData>

const requestNames = Object.keys(requests) as RequestName[]
const signalNames = Object.keys(signals) as SignalName[]

/**
 * Serves the gateway over Socket.io, at the default path of an HTTP server. `close` ends the remaining sockets. It does
 * not close the HTTP server.
 */
export function attachSocketIo(
  httpServer: HttpServer,
  {
    gateway,
    tokens,
    corsOrigin,
    addressLimits = noAddressLimits,
    pings = defaultPings,
    runtime = systemServerRuntime,
    logger = silentLogger,
  }: SocketIoOptions,
): { close(): Promise<void> } {
  const io: TypedServer = new Server(httpServer, {
    serveClient: false,
    wsEngine: OwnWebSocketServer,
    maxHttpBufferSize: limits.maxMessageBytes,
    allowRequest: (request, callback) => callback(null, addresses.allows(request)),
    pingInterval: pings.intervalMs,
    pingTimeout: pings.timeoutMs,
    // Batches are dense already, and a deflater costs each socket more memory than everything else.
    perMessageDeflate: false,
    // Connection state recovery stays off, which is the default. It skips the middleware, and so would send missed
    // messages to users who have been removed meanwhile.
    ...(corsOrigin === undefined ? {} : { cors: { origin: [corsOrigin].flat() } }),
  })

  const addresses = limitAddresses(io, addressLimits)
  const addressOf = createAddressOf(addressLimits.trustProxy)
  const guard = guardHandshakes(io, (request) => {
    logger.info({ address: addressOf(request) }, 'a connection is ended: it sends what no client sends')
  })
  refuseLikeHttp(io, tooManyRetryMs, { logger, addressOf })
  const door = createDoor(runtime, gateway.spent)

  io.use((socket, next) => {
    try {
      addresses.check(socket.request)
      socket.data = checkHandshake(socket.handshake.auth, tokens)
      gateway.checkSocket(socket.data)
      next()
    } catch (error) {
      const body = errorBodyOf(error, (bug) => logger.error({ err: bug }, 'a handshake failed'))
      const { userId }: Partial<SocketData> = socket.data
      const whose = { connectionId: socket.id, address: addressOf(socket.request), ...(userId && { userId }) }
      logger.info({ ...whose, ...refusalDetails(body) }, 'a connection is refused')
      next(Object.assign(new Error('refused'), { data: body }))
      // The refusal is sent in the next tick. A client that does not leave then would only take up a place.
      setImmediate(() => socket.conn.close())
    }
  })

  io.on('connection', (ioSocket) => {
    // Socket.io lets a tick pass after the middleware. A session that ended in it has not ended this socket.
    try {
      ioSocket.data = checkHandshake(ioSocket.handshake.auth, tokens)
    } catch {
      ioSocket.disconnect(true)
      return
    }
    guard.admit(ioSocket.conn)
    const leave = enterBy(door, ioSocket)
    writeOnceATurn(ioSocket.conn, () => {
      const webSocket = webSocketOf(ioSocket.conn)
      return webSocket && streamOf(webSocket)
    })
    const backlog = watchBacklog(ioSocket.conn, () => connection.drained())
    const address = addressOf(ioSocket.request)
    const connection = gateway.connect(socketOf(ioSocket, backlog, address), ioSocket.data)
    // Counts every packet, before it is handled.
    ioSocket.conn.on('packet', ({ data }: { data?: unknown }) => connection.received(sizeOf(data)))
    for (const name of requestNames) {
      onEvent(ioSocket, name, (payload, ack) => {
        // Our client always asks for an ack.
        if (ack !== undefined) connection.request(name, payload, ack)
      })
    }
    for (const name of signalNames) onEvent(ioSocket, name, (payload) => connection.signal(name, payload))
    ioSocket.on('disconnect', (why) => {
      leave()
      connection.closed(why)
      // A client can leave by one packet and come back by another on the same connection, as often as it likes: past
      // the limits of sockets, and each time with more listeners on `conn`.
      ioSocket.conn.close()
    })
    // Socket.io emits `error` for a packet that does not parse, and ends the connection. There is nothing to log.
    ioSocket.on('error', () => {})
  })

  return {
    close: async () => {
      io.disconnectSockets(true)
      io.engine.close()
      await Promise.resolve()
    },
  }
}

/** Puts the door between a connection and Socket.io, which handles at once what it is given. Returns how to leave. */
function enterBy(door: Door, { conn, id, data: { userId } }: TypedSocket): () => void {
  const handlers = conn.listeners('data') as ((data: unknown) => void)[]
  conn.removeAllListeners('data')
  const guest: Guest = {
    id,
    userId,
    handle: (data) => {
      for (const handler of handlers) handler(data)
    },
    pause: () => webSocketOf(conn)?.pause(),
    resume: () => webSocketOf(conn)?.resume(),
    end: () => {
      const webSocket = webSocketOf(conn)
      conn.close(true)
      // What was read already would be handed over all the same.
      webSocket?.terminate()
    },
  }
  conn.on('data', (data: unknown) => door.arrived(guest, data, sizeOf(data)))
  return () => door.left(guest)
}

/** Undefined while the connection polls: it sends a request at a time. */
function webSocketOf({ transport }: TypedSocket['conn']): WebSocket | undefined {
  return 'socket' in transport && transport.socket instanceof WebSocket ? transport.socket : undefined
}

/** Listens to an event whatever its arguments are: a client may send anything. */
function onEvent(
  socket: TypedSocket,
  name: RequestName | SignalName,
  handle: (payload: unknown, ack: ((reply: unknown) => void) | undefined) => void,
): void {
  const listener = (...args: unknown[]): void => {
    const last = args.at(-1)
    handle(args[0], typeof last === 'function' ? (reply) => void last(reply) : undefined)
  }
  socket.on(name, listener)
}

function socketOf(socket: TypedSocket, backlog: Backlog, address: string): Socket {
  return {
    id: socket.id,
    address,
    takesCompressed: takesCompressed(socket.handshake.auth),
    send: (name, payload) => void socket.emit(name, payload),
    // Socket.io carries no reason. The client learns what it needs to know at its next handshake.
    disconnect: () => void socket.disconnect(true),
    backlogBytes: () => backlog.bytes(),
  }
}
