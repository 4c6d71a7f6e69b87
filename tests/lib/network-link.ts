import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** The wire between one device and the server: a TCP proxy that can be cut. */
export interface NetworkLink {
  /** Where the device finds the server. */
  readonly url: string
  /** Resets every connection and refuses new ones, until `restore`. */
  cut(): void
  /** Keeps connections open and delivers nothing in either direction, until `restore`: a tunnel, a dead phone mast. */
  stall(): void
  restore(): void
  /** Gives the device these bytes as if the server had sent them, on every connection that is open. */
  inject(bytes: Uint8Array): void
  [Symbol.asyncDispose](): Promise<void>
}

export async function createNetworkLink(serverUrl: string): Promise<NetworkLink> {
  const target = new URL(serverUrl)
  const open = new Set<Socket>()
  const near = new Set<Socket>()
  let mode: 'up' | 'cut' | 'stalled' = 'up'

  const proxy = createServer((device) => {
    if (mode === 'cut') {
      device.resetAndDestroy()
      return
    }
    const server = connect(Number(target.port), target.hostname)
    near.add(device)
    device.on('close', () => near.delete(device))
    for (const [end, other] of [
      [device, server],
      [server, device],
    ] as const) {
      open.add(end)
      end.on('data', (chunk) => void (other.write(chunk) || end.pause()))
      end.on('drain', () => mode !== 'stalled' && other.resume())
      end.on('error', () => other.destroy())
      end.on('close', () => {
        open.delete(end)
        other.destroy()
      })
      if (mode === 'stalled') end.pause()
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('the link has no port')

  function reset(): void {
    for (const socket of open) socket.resetAndDestroy()
  }

  return {
    url: `http://127.0.0.1:${address.port}`,
    cut() {
      mode = 'cut'
      reset()
    },
    stall() {
      mode = 'stalled'
      for (const socket of open) socket.pause()
    },
    restore() {
      mode = 'up'
      for (const socket of open) socket.resume()
    },
    inject(bytes) {
      for (const device of near) device.write(bytes)
    },
    async [Symbol.asyncDispose]() {
      mode = 'cut'
      reset()
      proxy.close()
      await once(proxy, 'close')
    },
  }
}
