import { protocolVersion, randomHexId, type SocketData, type SpaceId, type UserId } from '@t69/protocol'
import type { Socket } from '@t69/server'
import { createSocketIoTransport } from '@t69/sync-client'
import { expect } from 'vitest'

import { startLiveServer } from '../lib/live-server.ts'
import { createNetworkLink, type WebSocketFate } from '../lib/network-link.ts'
import { createRandom } from '../lib/random.ts'
import { createNetwork, goodNetwork } from './simulation/network.ts'
import { createSimServer, type SimServer } from './simulation/server.ts'
import { createVirtualTime } from './simulation/time.ts'
import { describeTransport, type TransportWorld } from './transport.contract.ts'

describeTransport('Socket.io to the real server', () => liveWorld())
describeTransport('Socket.io where no WebSocket gets through', () => liveWorld('refused'), {
  // A poll answered by the test rather than the server would end the session.
  canSay: false,
})
describeTransport('the simulated network', simulatedWorld)

async function liveWorld(webSockets: WebSocketFate = 'pass'): Promise<TransportWorld> {
  const live = await startLiveServer()
  const link = await createNetworkLink(live.url)
  link.setWebSockets(webSockets)
  const anna = await live.signUp('Anna')
  const spaceId = randomHexId() as SpaceId
  await anna.call('POST', '/api/spaces', { id: spaceId, name: 'Notes' })
  return {
    transport: createSocketIoTransport(link.url),
    spaceId,
    handshake: { token: anna.token, protocolVersion },
    stranger: { token: 'nobody', protocolVersion },
    cut: () => link.cut(),
    mend: () => link.restore(),
    stall: () => link.stall(),
    say: (name, payload) => link.inject(textFrame(`42${JSON.stringify([name, payload])}`)),
    async endSession() {
      await anna.call('POST', '/api/auth/logout', { refreshToken: anna.refreshToken })
    },
    async until(check) {
      await expect.poll(check, { interval: 5 }).toBe(true)
    },
    async [Symbol.asyncDispose]() {
      await link[Symbol.asyncDispose]()
      await live[Symbol.asyncDispose]()
    },
  }
}

/** A server's WebSocket frame with a text of less than 126 bytes (RFC 6455, section 5.2). */
function textFrame(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length > 65_535) throw new Error('the frame would need a longer length')
  const length = bytes.length <= 125 ? [bytes.length] : [126, bytes.length >> 8, bytes.length & 255]
  return Uint8Array.from([0x81, ...length, ...bytes])
}

async function simulatedWorld(): Promise<TransportWorld> {
  const time = createVirtualTime(1_000_000)
  const server = createSimServer(time, createRandom(1))
  server.start()
  const { said, listening } = overhear(server)
  const network = createNetwork(time, createRandom(1), listening)
  const userId = randomHexId() as UserId
  const spaceId = randomHexId() as SpaceId
  server.accounts.register({ id: spaceId, name: 'Space' }, userId)
  return {
    transport: network,
    spaceId,
    handshake: { token: server.tokenFor(userId), protocolVersion },
    stranger: { token: `${userId} 0`, protocolVersion },
    cut() {
      network.offline = true
      network.faults = goodNetwork
      network.cut()
    },
    mend: () => void (network.offline = false),
    stall: () => void (network.faults = { ...goodNetwork, drop: 1 }),
    say: (name, payload) => said(name, payload),
    async endSession() {
      server.gateway?.sessionEnded(userId)
    },
    async until(check) {
      if (!(await time.advance(60_000, check))) throw new Error('the check did not hold within a minute')
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** Wraps a server so that a test can send through the last socket of its gateway. */
function overhear(server: SimServer) {
  let said = (_name: string, _payload: unknown): void => {}
  const listening: SimServer = {
    ...server,
    get gateway() {
      const { gateway } = server
      if (gateway === null) return null
      return {
        ...gateway,
        connect(socket: Socket, data: SocketData) {
          said = (name, payload) => socket.send(name as never, payload as never)
          return gateway.connect(socket, data)
        },
      }
    },
  }
  return { listening, said: (name: string, payload: unknown) => said(name, payload) }
}
