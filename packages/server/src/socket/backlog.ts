import type { EventEmitter } from 'node:events'

/** The part of an Engine.IO socket that is used here. */
export interface EngineSocket extends EventEmitter {
  readonly transport: EventEmitter & { readonly writable: boolean }
}

export interface Backlog {
  /** Bytes that were sent and that the operating system has not taken yet. */
  bytes(): number
}

/**
 * Counts the bytes that wait on an Engine.IO socket. Packets gather until the transport is writable, and are then
 * handed to it all at once (`flush`). It is writable again, and `drained` is called, once the system has taken them.
 */
export function watchBacklog(conn: EngineSocket, drained: () => void): Backlog {
  let gathered = 0
  let handedOver = 0
  conn.on('packetCreate', ({ data }: { data?: unknown }) => {
    gathered += sizeOf(data)
  })
  conn.on('flush', () => {
    handedOver = gathered
    gathered = 0
    // The transport emits `drain` just before it takes more, so what is sent in answer waits its turn.
    conn.transport.once('drain', () => {
      handedOver = 0
      drained()
    })
  })
  return { bytes: () => gathered + handedOver }
}

/** Bytes of a packet's payload. */
export function sizeOf(data: unknown): number {
  if (typeof data === 'string') return data.length
  return ArrayBuffer.isView(data) || data instanceof ArrayBuffer ? data.byteLength : 0
}
