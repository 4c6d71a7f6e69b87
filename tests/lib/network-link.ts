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
  /** Delivers nothing to the device, until `restore`, while the server hears all that it says: it does not read. */
  deafen(): void
  /** What is open delivers nothing ever again, and neither end is told; new connections work: a router that restarted. */
  strand(): void
  restore(): void
  /** What becomes of WebSockets that are opened from now on; at first they pass. */
  setWebSockets(fate: WebSocketFate): void
  /** Gives the device these bytes as if the server had sent them, on every connection that is open. */
  inject(bytes: Uint8Array): void
  [Symbol.asyncDispose](): Promise<void>
}

/** A company's proxy may answer that it knows of none, or take one and deliver nothing. */
export type WebSocketFate = 'pass' | 'refused' | 'swallowed'

/** Hears what passes on one connection, before it is passed on. */
export interface NetworkTap {
  readonly fromDevice: (chunk: Buffer) => void
  readonly fromServer: (chunk: Buffer) => void
}

export interface NetworkLinkOptions {
  /** How long each way takes, in milliseconds: half a round trip. */
  readonly delayMs?: number
  /** How much passes in each direction. */
  readonly bytesPerSecond?: number
  /** Called for each connection. */
  readonly tap?: () => NetworkTap
}

export async function createNetworkLink(
  serverUrl: string,
  { delayMs = 0, bytesPerSecond = Infinity, tap }: NetworkLinkOptions = {},
): Promise<NetworkLink> {
  const target = new URL(serverUrl)
  const open = new Set<Socket>()
  const near = new Set<Socket>()
  const stranded = new Set<Socket>()
  let mode: 'up' | 'cut' | 'stalled' | 'deaf' = 'up'
  let webSockets: WebSocketFate = 'pass'
  const isRead = (end: Socket): boolean => mode === 'up' || (mode === 'deaf' && near.has(end))

  const proxy = createServer((device) => {
    if (mode === 'cut') {
      device.resetAndDestroy()
      return
    }
    const server = connect(Number(target.port), target.hostname)
    near.add(device)
    device.on('close', () => near.delete(device))
    const tapped = tap?.()
    for (const [end, other, heard] of [
      [device, server, tapped?.fromDevice],
      [server, device, tapped?.fromServer],
    ] as const) {
      open.add(end)
      /** Nothing is read meanwhile, so that what waits does so at its sender. */
      const pass = (chunk: Buffer): void => {
        end.pause()
        setTimeout(
          () => {
            other.write(chunk)
            if (isRead(end) && !stranded.has(end)) end.resume()
          },
          (chunk.length / bytesPerSecond) * 1000,
        )
      }
      end.on('data', (chunk) => {
        heard?.(chunk)
        if (webSockets !== 'pass' && end === device && upgrade.test(chunk.toString('latin1'))) {
          if (webSockets === 'refused') device.end(refusal)
          return
        }
        // Timers of one length keep their order.
        if (bytesPerSecond < Infinity) pass(chunk)
        else if (delayMs > 0) setTimeout(() => void other.write(chunk), delayMs)
        else if (!other.write(chunk)) end.pause()
      })
      end.on('drain', () => isRead(other) && !stranded.has(other) && other.resume())
      // The router that knew of both ends is gone: what becomes of one, the other does not hear.
      const endOther = (): void => void (stranded.has(end) || other.destroy())
      end.on('error', endOther)
      end.on('close', () => {
        endOther()
        open.delete(end)
        stranded.delete(end)
      })
      if (!isRead(end)) end.pause()
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
    deafen() {
      mode = 'deaf'
      for (const socket of open) if (!isRead(socket)) socket.pause()
    },
    strand() {
      for (const socket of open) {
        stranded.add(socket)
        socket.pause()
      }
    },
    restore() {
      mode = 'up'
      for (const socket of open) if (!stranded.has(socket)) socket.resume()
    },
    setWebSockets(fate) {
      webSockets = fate
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

const refusal = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
const upgrade = /^GET [^]*\r\nUpgrade: websocket\r\n/i
