import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'

import type { Server } from 'socket.io'

/**
 * Ends connections that send what our client never sends, and what Socket.io would keep or answer before the user is
 * known: binary parts that it gathers, repeated handshakes on one connection, each past the limits of sockets, and
 * namespaces that do not exist. A connection begins with its handshake, sends nothing more until that is answered, and
 * does not repeat it. An event has at most one binary part.
 */
export function guardHandshakes(
  io: Pick<Server, 'engine'>,
  /** Is told whose connection is ended. */
  ended: (request: IncomingMessage) => void = () => {},
): {
  /** The handshake of this connection was accepted. */
  readonly admit: (connection: object) => void
} {
  const admitted = new WeakSet<object>()
  io.engine.on('connection', (connection: EngineConnection) => {
    let hasGreeted = false
    // This listener runs before Socket.io handles the packet.
    connection.on('packet', ({ type, data }: { type: string; data?: unknown }) => {
      if (type !== 'message') return
      const text = typeof data === 'string' ? data : ''
      const isHandshake = text.startsWith('0')
      const isExpected = admitted.has(connection)
        ? !isHandshake && !announcesParts.test(text)
        : isHandshake && !hasGreeted
      hasGreeted = true
      if (isExpected) return
      ended(connection.request)
      connection.close(true)
    })
  })
  return { admit: (connection) => void admitted.add(connection) }
}

/** An event or ack with binary parts (types 5 and 6), unless it has exactly one. */
const announcesParts = /^[56](?!1-)/

interface EngineConnection extends EventEmitter {
  readonly request: IncomingMessage
  close(discard: boolean): void
}
