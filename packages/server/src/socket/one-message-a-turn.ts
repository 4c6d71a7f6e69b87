import { type ServerOptions, WebSocketServer } from 'ws'

/**
 * The WebSocket server for Engine.IO, which hands over one message of each connection in a turn of the event loop, and reads
 * no more from the network meanwhile. By default `ws` hands over all that it has read at once, which can be thousands of
 * messages on each of many connections. Engine.IO has no option for this.
 */
export class OneMessageATurn extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, allowSynchronousEvents: false })
  }
}
