import { errorBodySchema, type ErrorBody } from '@t69/protocol'
import { io } from 'socket.io-client'

import { onServer } from '../runtime/index.ts'
import { lost } from './open-link.ts'
import { notificationNames, readAck, readNotification } from './read-message.ts'
import type { Transport } from './transport.ts'

export interface SocketIoTransportOptions {
  /** Unix milliseconds. Default: `Date.now`. */
  readonly now?: () => number
  /** How long a connection may take to open, in ms. Default: 20 s. */
  readonly openingTimeoutMs?: number
}

/**
 * The transports to try, in order, by the one to try first. Usually a websocket comes first, and polling serves
 * behind proxies that refuse websockets. Polling comes first behind proxies that accept a websocket and deliver
 * nothing. The websocket after polling is an upgrade: it may have failed for another reason.
 */
const transportOrders = {
  websocket: ['websocket', 'polling', 'websocket'],
  polling: ['polling', 'websocket'],
}

/**
 * Connects over Socket.io, without its own reconnection, buffering and recovery: the sync engine decides when to
 * reconnect, and what to send again.
 */
export function createSocketIoTransport(
  url: string,
  { now = Date.now, openingTimeoutMs = 20_000 }: SocketIoTransportOptions = {},
): Transport {
  let first: keyof typeof transportOrders = 'websocket'
  return {
    connect(handshake, listener) {
      // Socket.io takes a path in its URL for the name of a namespace.
      const { origin, pathname } = onServer(url, '/socket.io/')
      const socket = io(origin, {
        path: pathname,
        auth: handshake,
        forceNew: true,
        reconnection: false,
        autoConnect: false,
        transports: transportOrders[first],
        tryAllTransports: true,
        timeout: openingTimeoutMs,
      })
      const waiting = new Set<(error: ErrorBody) => void>()
      let ended = false
      let heardAt = now()
      /** Finite once the server has said how often it pings, and how long it waits for the answer. */
      let boundMs = Number.POSITIVE_INFINITY

      function end(error: ErrorBody): boolean {
        if (ended) return false
        ended = true
        socket.removeAllListeners()
        socket.disconnect()
        const unanswered = Array.from(waiting)
        waiting.clear()
        queueMicrotask(() => {
          for (const fail of unanswered) fail(error)
        })
        return true
      }
      const close = (error: ErrorBody): void => void (end(error) && listener.closed(error))

      socket.on('connect', () => listener.opened())
      socket.on('connect_error', (error) => {
        if (error.message === 'timeout') first = first === 'websocket' ? 'polling' : 'websocket'
        close(refusalOf(error) ?? lost)
      })
      // Socket.io does not carry the server's reason. The refusal of the next handshake does.
      socket.on('disconnect', () => close(lost))
      for (const name of notificationNames) {
        socket.on(name, (payload: unknown) => {
          const read = readNotification(name, payload)
          if (read !== undefined && !ended) listener.notified(name, read)
        })
      }
      socket.connect()
      socket.io.engine.on('handshake', ({ pingInterval, pingTimeout }) => {
        boundMs = pingInterval + pingTimeout
      })
      socket.io.engine.on('packet', () => void (heardAt = now()))
      socket.io.engine.on('upgrade', () => void (first = 'websocket'))

      return {
        request(name, payload, answered) {
          const fail = (error: ErrorBody): void => answered({ ok: false, error })
          if (ended || !socket.connected) return queueMicrotask(() => fail(lost))
          waiting.add(fail)
          socket.emit(name, payload, (reply: unknown) => {
            if (waiting.delete(fail)) answered(readAck(name, reply))
          })
        },
        signal(name, payload) {
          // A disconnected socket would buffer the signal and send it when it is no longer true.
          if (!ended && socket.connected) socket.emit(name, payload)
        },
        silence: () => ({ forMs: now() - heardAt, boundMs }),
        close: () => void end(lost),
      }
    },
  }
}

/** A handshake that the server refused carries an `ErrorBody`; a network failure does not. */
function refusalOf(error: Error): ErrorBody | undefined {
  return 'data' in error ? errorBodySchema.safeParse(error.data).data : undefined
}
