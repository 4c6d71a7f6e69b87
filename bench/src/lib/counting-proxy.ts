import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Passes TCP on to a port of this machine, and counts the bytes. */
export interface CountingProxy {
  readonly port: number
  /** Bytes that the server has sent. */
  received(): number
  /** Bytes that the devices have sent. */
  sent(): number
  /** Ends every connection and refuses new ones, until `restore`. */
  cut(): Promise<void>
  /** Takes connections again, and counts from 0. Resolves when the first one is made. */
  restore(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** With `delayMs`, what is sent arrives so much later: half a round trip. */
export async function countBytes(target: number, { delayMs = 0 } = {}): Promise<CountingProxy> {
  let received = 0
  let sent = 0
  const sockets = new Set<Socket>()
  const proxy = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    near.on('data', (bytes) => (sent += bytes.length))
    far.on('data', (bytes) => (received += bytes.length))
    if (delayMs === 0) near.pipe(far).pipe(near)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      // Timers of one length fire in order.
      if (delayMs > 0) from.on('data', (bytes) => setTimeout(() => to.write(bytes), delayMs))
      sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        setTimeout(() => to.destroy(), delayMs)
      })
    }
  })
  const port = await listen(proxy, 0)

  async function cut(): Promise<void> {
    const closed = once(proxy, 'close')
    proxy.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }

  return {
    port,
    received: () => received,
    sent: () => sent,
    cut,
    restore: async () => {
      received = 0
      sent = 0
      const connected = once(proxy, 'connection')
      await listen(proxy, port)
      await connected
    },
    async [Symbol.asyncDispose]() {
      if (proxy.listening) await cut()
    },
  }
}

async function listen(proxy: Server, port: number): Promise<number> {
  proxy.listen(port, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return address.port
}
