import {
  ackSchema,
  errorBodySchema,
  notifications,
  type Ack,
  type ErrorBody,
  type NotificationName,
  type NotificationPayload,
  type RequestName,
  type RequestReply,
} from '@t69/protocol'
import { io } from 'socket.io-client'

import type { ReplySchema } from './http.ts'
import type { ConnectionListener, Transport } from './transport.ts'

const lost: ErrorBody = { code: 'unavailable', message: 'The connection was lost' }

/**
 * Socket.io, without its own reconnection, buffering and recovery: when to try again, and what is said
 * again then, is the sync engine's to decide.
 */
export function createSocketIoTransport(url: string): Transport {
  return {
    connect(handshake, listener) {
      const socket = io(url, {
        auth: handshake,
        forceNew: true,
        reconnection: false,
        autoConnect: false,
        // A websocket where it can be had at once; polling behind proxies that let no websocket through.
        transports: ['websocket', 'polling'],
        tryAllTransports: true,
        timeout: 20_000,
      })
      const waiting = new Set<(error: ErrorBody) => void>()
      let ended = false

      function end(error: ErrorBody): boolean {
        if (ended) return false
        ended = true
        socket.removeAllListeners()
        socket.disconnect()
        for (const fail of waiting) fail(error)
        waiting.clear()
        return true
      }
      const close = (error: ErrorBody): void => void (end(error) && listener.closed(error))

      socket.on('connect', () => listener.opened())
      socket.on('connect_error', (error) => close(refusalOf(error) ?? lost))
      // Socket.io carries no reason of the server's; the next handshake's refusal does.
      socket.on('disconnect', () => close(lost))
      for (const name of notificationNames) {
        socket.on(
          name,
          (payload: unknown) => void (ended || notify(listener, name, notificationSchemas[name], payload)),
        )
      }
      socket.connect()

      return {
        request: (name, payload) =>
          new Promise((resolve) => {
            const fail = (error: ErrorBody): void => resolve({ ok: false, error })
            if (ended || !socket.connected) return fail(lost)
            waiting.add(fail)
            socket.emit(name, payload, (reply: unknown) => {
              waiting.delete(fail)
              resolve(parseAck(name, reply))
            })
          }),
        signal(name, payload) {
          // A disconnected socket would keep it for later, when it says nothing true any more.
          if (!ended && socket.connected) socket.emit(name, payload)
        },
        close: () => void end(lost),
      }
    },
  }
}

const notificationNames: readonly NotificationName[] = [
  'ops:appended',
  'ops:transient',
  'presence:changed',
  'space:closed',
  'auth:expiring',
]

/** The same schemas, typed so that a name leads to the type of its payload. */
const notificationSchemas: { readonly [N in NotificationName]: ReplySchema<NotificationPayload<N>> } =
  notifications

function notify<N extends NotificationName>(
  listener: ConnectionListener,
  name: N,
  schema: ReplySchema<NotificationPayload<N>>,
  payload: unknown,
): void {
  const parsed = schema.safeParse(payload)
  // A notification that cannot be read is dropped: the next one shows the gap, and a pull fills it.
  if (parsed.success) listener.notified(name, parsed.data)
}

function parseAck<N extends RequestName>(name: N, reply: unknown): Ack<RequestReply<N>> {
  const parsed = ackSchema(name).safeParse(reply)
  if (parsed.success) return parsed.data
  // A code of a later protocol, or a server gone wrong: not to be repeated as it is ([CL10]).
  return { ok: false, error: { code: 'invalid_request', message: `The answer to ${name} cannot be read` } }
}

/** A handshake that the server refused carries an `ErrorBody`; a network that failed does not. */
function refusalOf(error: Error): ErrorBody | undefined {
  return 'data' in error ? errorBodySchema.safeParse(error.data).data : undefined
}
