import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { adminSocketOf } from './admin-socket.ts'
import { askAdmin } from './ask-admin.ts'

/** A directory with a socket for commands, on which `hear` is all that happens. */
async function openSocket(hear: (socket: Socket) => void) {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-socket-'))
  const sockets = new Set<Socket>()
  const listener = createServer((socket) => {
    sockets.add(socket)
    hear(socket)
  })
  await new Promise<void>((resolve) => listener.listen(adminSocketOf(dataDir), resolve))
  return {
    dataDir,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

describe('asking a running server', () => {
  it('is given up when the server does not answer, and says so', async () => {
    await using silent = await openSocket(() => {})
    await expect(askAdmin(silent.dataDir, 50)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(`the server in ${silent.dataDir} runs, and has not answered`),
    })
  })

  it('says that the server has ended before it answered', async () => {
    await using ending = await openSocket((socket) => socket.once('data', () => socket.destroy()))
    await expect(askAdmin(ending.dataDir)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('ended before it answered'),
    })
  })

  it('says of a server that ends within its answer that it has ended', async () => {
    const begun = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"answer":'
    await using ending = await openSocket((socket) =>
      socket.once('data', () => socket.write(begun, () => socket.destroy())),
    )
    await expect(askAdmin(ending.dataDir)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('says that there is none where nobody listens', async () => {
    expect(await askAdmin(join(tmpdir(), 'nobody'))).toBeUndefined()
  })
})
