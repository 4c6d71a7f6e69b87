import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'

import { expect, it } from 'vitest'

import { startServer } from '../lib/server-process.ts'

const count = 1_000

/** The most connections that the system queues for a server. Only Linux tells this. */
function systemLimit(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'))
  } catch {
    return 0
  }
}

it.skipIf(systemLimit() < count)(
  `${count} devices that connect while the server is busy wait for it, and none is dropped`,
  async () => {
    await using server = await startServer()
    const { port, hostname } = new URL(server.url)
    const { pid } = server
    if (pid === undefined) throw new Error('the server is not running')
    const sockets: Socket[] = []
    process.kill(pid, 'SIGSTOP')
    try {
      // The system queues them for the server. One that finds no room is dropped without an answer.
      for (let index = 0; index < count; index++) sockets.push(connect(Number(port), hostname))
      await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    expect(await fetch(`${server.url}/health`)).toMatchObject({ status: 200 })
    for (const socket of sockets) socket.destroy()
  },
)
