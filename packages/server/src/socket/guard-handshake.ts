import type { EventEmitter } from 'node:events'

import type { Server } from 'socket.io'

/**
 * Ends connections that say what no client of ours says, and what Socket.io keeps or answers before anybody
 * knows whose it is: binary parts that it gathers, any number of handshakes on one connection, each past the
 * limits of sockets, and namespaces that do not exist. A connection begins with its handshake, says nothing
 * more until that is answered, and does not repeat it; an event has one binary part at most.
 */
export function guardHandshakes(io: Pick<Server, 'engine'>): {
  /** The handshake of this connection was good. */
  readonly admit: (connection: object) => void
} {
  const admitted = new WeakSet<object>()
  io.engine.on('connection', (connection: EngineConnection) => {
    let hasGreeted = false
    // Before Socket.io makes anything of it.
    connection.on('packet', ({ type, data }: { type: string; data?: unknown }) => {
      if (type !== 'message') return
      const text = typeof data === 'string' ? data : ''
      const isHandshake = text.startsWith('0')
      const isExpected = admitted.has(connection)
        ? !isHandshake && !announcesParts.test(text)
        : isHandshake && !hasGreeted
      hasGreeted = true
      if (!isExpected) connection.close(true)
    })
  })
  return { admit: (connection) => void admitted.add(connection) }
}

/** An event or ack (5, 6) with other than one binary part. */
const announcesParts = /^[56](?!1-)/

interface EngineConnection extends EventEmitter {
  close(discard: boolean): void
}
