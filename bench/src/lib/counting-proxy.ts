import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Passes TCP on to a port of this machine, and counts what the server sends, in bytes. */
export interface CountingProxy {
  readonly port: number
  received(): number
  [Symbol.asyncDispose](): Promise<void>
}

export async function countBytes(target: number): Promise<CountingProxy> {
  let received = 0
  const sockets = new Set<Socket>()
  const proxy = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    far.on('data', (bytes) => (received += bytes.length))
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    port: address.port,
    received: () => received,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      proxy.close()
    },
  }
}
