import { lost } from './open-link.ts'
import type { SocketIoTransportOptions } from './socket-io-transport.ts'
import type { Connection, Transport } from './transport.ts'

/** What is known of a server while the code that asks it is still on its way: it may be silent for as long as it likes. */
const loading = { forMs: 0, boundMs: Number.POSITIVE_INFINITY }

/**
 * `createSocketIoTransport`, whose code is loaded with the first connection: a page that nobody is signed in to has none.
 * An attempt whose code cannot be loaded ends as one without a network does.
 */
export function createLazySocketIo(url: string, options: SocketIoTransportOptions): Transport {
  let transport: Transport | null = null

  async function load(): Promise<Transport> {
    const { createSocketIoTransport } = await import('./socket-io-transport.ts')
    // One for all attempts: it notes which way of connecting got through.
    transport ??= createSocketIoTransport(url, options)
    return transport
  }

  return {
    connect(handshake, listener) {
      if (transport !== null) return transport.connect(handshake, listener)
      let made: Connection | null = null
      let isClosed = false
      async function start(): Promise<void> {
        try {
          const loaded = await load()
          if (!isClosed) made = loaded.connect(handshake, listener)
        } catch {
          if (!isClosed) listener.closed(lost)
        }
      }
      void start()
      return {
        request(name, payload, answered) {
          if (made !== null) return made.request(name, payload, answered)
          queueMicrotask(() => answered({ ok: false, error: lost }))
        },
        signal: (name, payload) => made?.signal(name, payload),
        silence: () => made?.silence?.() ?? loading,
        close() {
          isClosed = true
          made?.close()
        },
      }
    },
  }
}
