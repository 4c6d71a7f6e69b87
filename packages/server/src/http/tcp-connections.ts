import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** The TCP connections of an HTTP server, including WebSockets, which Node's server forgets. */
export interface TcpConnections {
  /** How many are open. */
  readonly size: number
  /** Ends all connections at once, without a response. */
  destroyAll(): void
}

export function watchTcpConnections(server: Server): TcpConnections {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return {
    get size() {
      return open.size
    },
    destroyAll() {
      for (const socket of open) socket.destroy()
    },
  }
}
