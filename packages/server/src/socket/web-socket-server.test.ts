import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { Server } from 'socket.io'
import { expect, it } from 'vitest'

import { OwnWebSocketServer } from './web-socket-server.ts'

it('one message of a connection is handed over in a turn, however many arrive at once', async () => {
  const http = createServer()
  const io = new Server(http, { serveClient: false, wsEngine: OwnWebSocketServer })
  const count = 500
  let turn = 0
  let isOver = false
  const tick = (): void => {
    turn++
    if (!isOver) setImmediate(tick)
  }
  const inTurn = new Map<number, number>()
  const all = Promise.withResolvers<void>()
  let arrived = 0
  io.engine.on('connection', (connection: NodeJS.EventEmitter) => {
    connection.on('packet', () => {
      inTurn.set(turn, (inTurn.get(turn) ?? 0) + 1)
      if (++arrived === count) all.resolve()
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const client = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`)
  await new Promise((resolve) => client.addEventListener('open', resolve, { once: true }))
  tick()
  // A pong, which Engine.IO takes at any time.
  for (let nr = 0; nr < count; nr++) client.send('3')
  await all.promise
  isOver = true
  expect(Math.max(...inTurn.values())).toBeLessThanOrEqual(2)
  client.close()
  await io.close()
})
