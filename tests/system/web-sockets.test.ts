import { protocolVersion, randomHexId, type Ack, type SpaceId } from '@t69/protocol'
import { createSocketIoTransport, type Connection } from '@t69/sync-client'
import { expect, it } from 'vitest'

import { ask } from '../lib/ask.ts'
import { startLiveServer } from '../lib/live-server.ts'
import { createNetworkLink, type NetworkLink, type WebSocketFate } from '../lib/network-link.ts'

/** A device behind a proxy that interferes with WebSockets. */
interface World extends AsyncDisposable {
  readonly link: NetworkLink
  /** The number of sessions that began by polling, and of WebSockets that were opened. */
  readonly polled: number
  readonly webSockets: number
  /** Connects. Resolves once the connection is open, or with undefined once it has failed. */
  connect(): Promise<Connection | undefined>
  join(connection: Connection): Promise<Ack<unknown>>
}

/** `fates` says what happens to a WebSocket from the first TCP connection on, from the second on, and so on. */
async function openWorld(fates: WebSocketFate[], openingTimeoutMs = 20_000): Promise<World> {
  const live = await startLiveServer()
  const anna = await live.signUp('Anna')
  const spaceId = randomHexId() as SpaceId
  await anna.call('POST', '/api/spaces', { id: spaceId, name: 'Notes' })
  let polled = 0
  let webSockets = 0
  const link = await createNetworkLink(live.url, {
    tap() {
      const fate = fates.shift()
      if (fate !== undefined) link.setWebSockets(fate)
      return {
        fromDevice() {},
        fromServer(chunk) {
          const answer = chunk.toString('latin1')
          if (answer.startsWith('HTTP/1.1 101 ')) webSockets++
          if (answer.includes('"upgrades":["websocket"]')) polled++
        },
      }
    },
  })
  const transport = createSocketIoTransport(link.url, { openingTimeoutMs })
  return {
    link,
    get polled() {
      return polled
    },
    get webSockets() {
      return webSockets
    },
    connect: () =>
      new Promise((resolve) => {
        const connection = transport.connect(
          { token: anna.token, protocolVersion },
          { opened: () => resolve(connection), closed: () => resolve(undefined), notified() {} },
        )
      }),
    join: (connection) => ask(connection, 'space:join', { spaceId }),
    async [Symbol.asyncDispose]() {
      await link[Symbol.asyncDispose]()
      await live[Symbol.asyncDispose]()
    },
  }
}

/** Connects, in several attempts if the machine is slow. */
async function connected(world: World): Promise<Connection> {
  for (;;) {
    const connection = await world.connect()
    if (connection !== undefined) return connection
  }
}

it('a client that fell back to polling returns to WebSockets if they failed only once', async () => {
  await using world = await openWorld(['refused', 'pass'])
  const connection = await connected(world)
  expect(world.polled).toBe(1)
  // Requests in flight are answered over either transport.
  const asked: Promise<Ack<unknown>>[] = []
  await expect
    .poll(() => {
      asked.push(world.join(connection))
      return world.webSockets
    })
    .toBe(1)
  asked.push(world.join(connection))
  for (const ack of await Promise.all(asked)) expect(ack).toMatchObject({ ok: true })
  connection.close()
})

it('a client whose WebSockets are accepted but deliver nothing begins by polling, until one works', async () => {
  await using world = await openWorld(['swallowed'], 2_000)
  expect(await world.connect()).toBeUndefined()
  const behindProxy = await connected(world)
  expect(await world.join(behindProxy)).toMatchObject({ ok: true })
  expect(world.webSockets).toBe(0)
  behindProxy.close()

  world.link.setWebSockets('pass')
  const elsewhere = await connected(world)
  expect(await world.join(elsewhere)).toMatchObject({ ok: true })
  await expect
    .poll(async () => {
      const before = world.polled
      const another = await connected(world)
      another.close()
      return world.polled - before
    })
    .toBe(0)
  elsewhere.close()
})
