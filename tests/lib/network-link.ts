import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** The network between one device and the server: a TCP proxy that can fail in several ways. */
export interface NetworkLink {
  /** The address at which the device reaches the server. */
  readonly url: string
  /** Resets every connection and refuses new ones until `restore`. */
  cut(): void
  /** Keeps connections open but delivers nothing in either direction until `restore`, like a tunnel. */
  stall(): void
  /** Delivers nothing to the device until `restore`, like a device that does not read. The server still gets everything. */
  deafen(): void
  /** Open connections never deliver anything again, and neither end is told, as after a router's restart. New ones work. */
  strand(): void
  restore(): void
  /** Decides what happens to WebSockets opened from now on. Initially they pass. */
  setWebSockets(fate: WebSocketFate): void
  /** Sends bytes to the device on every open connection, as if they came from the server. */
  inject(bytes: Uint8Array): void
  [Symbol.asyncDispose](): Promise<void>
}

/** What happens to WebSockets. Some companies' proxies refuse them, and some accept them and deliver nothing. */
export type WebSocketFate = 'pass' | 'refused' | 'swallowed'

/** Gets the bytes of one connection before they are passed on. */
export interface NetworkTap {
  readonly fromDevice: (chunk: Buffer) => void
  readonly fromServer: (chunk: Buffer) => void
}

export interface NetworkLinkOptions {
  /** The delay in each direction, in milliseconds: half a round trip. */
  readonly delayMs?: number
  /** The bandwidth in each direction. */
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
      /** Passes a chunk on at the speed of the link. Reads nothing in the meantime, so that data waits at its sender. */
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
        // Timers with the same delay fire in order.
        if (bytesPerSecond < Infinity) pass(chunk)
        else if (delayMs > 0) setTimeout(() => void other.write(chunk), delayMs)
        else if (!other.write(chunk)) end.pause()
      })
      end.on('drain', () => isRead(other) && !stranded.has(other) && other.resume())
      // On a stranded connection, the end of one side is not passed on to the other.
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
