import type { EventEmitter } from 'node:events'
import { nextTick } from 'node:process'

/** The part of an Engine.IO socket that is used here. */
export interface WritingSocket extends EventEmitter {
  readonly transport: EventEmitter & { writable: boolean }
}

/** The part of a TCP connection that is used here. */
export interface CorkedStream {
  cork(): void
  uncork(): void
}

/**
 * Has everything that is sent on a connection in one turn of the event loop leave in one write to the system. Engine.IO
 * hands the first packet over at once and the others once that is written, and `ws` writes each frame by itself. But a
 * message with a batch is two packets, its JSON and its bytes, and a group of commits is many.
 *
 * `streamOf` gives the TCP connection under the present transport; undefined while the client polls, which is left as it is.
 */
export function writeOnceATurn(
  conn: WritingSocket,
  streamOf: () => CorkedStream | undefined,
  afterTurn: (callback: () => void) => void = (callback) => nextTick(callback),
): void {
  conn.on('packetCreate', () => {
    const { transport } = conn
    if (streamOf() === undefined || !transport.writable) return
    // Packets gather while the transport is not writable, and are handed over when it is ready.
    transport.writable = false
    afterTurn(() => {
      transport.writable = true
      transport.emit('ready')
    })
  })
  // Emitted before and after packets are handed over.
  let corked: CorkedStream | undefined
  conn.on('flush', () => {
    corked = streamOf()
    corked?.cork()
  })
  conn.on('drain', () => {
    corked?.uncork()
    corked = undefined
  })
}
