import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'

const streams = new WeakMap<WebSocket, Duplex>()

/** The TCP connection of a WebSocket that an `OwnWebSocketServer` accepted. */
export const streamOf = (webSocket: WebSocket): Duplex | undefined => streams.get(webSocket)

/**
 * The WebSocket server for Engine.IO, which has no option for what is set here. It hands over one message of each connection
 * in a turn of the event loop, and reads no more from the network meanwhile. By default `ws` hands over all that it has read
 * at once, which can be thousands of messages on each of many connections.
 */
export class OwnWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, allowSynchronousEvents: false })
  }

  override handleUpgrade(
    request: IncomingMessage,
    stream: Duplex,
    head: Buffer,
    callback: (webSocket: WebSocket, request: IncomingMessage) => void,
  ): void {
    super.handleUpgrade(request, stream, head, (webSocket, upgraded) => {
      streams.set(webSocket, stream)
      callback(webSocket, upgraded)
    })
  }
}
