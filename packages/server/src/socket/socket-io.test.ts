import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import {
  type AccessId,
  decodeBatch,
  encodeBatch,
  protocolVersion,
  randomHexId,
  requests,
  type SpaceIdentity,
  SyncError,
  type UserId,
} from '@t69/protocol'
import { io, type Socket as ClientSocket } from 'socket.io-client'
import { expect, it } from 'vitest'

import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import { createSpaces } from '../spaces/spaces.ts'
import { createInlineStorage } from '../storage/inline-storage.ts'
import { newEpoch, opsFrom, setOp, spaceId } from '../testing/ops.ts'
import { createGateway } from './gateway.ts'
import { attachSocketIo } from './socket-io.ts'

/** How long a test waits for what has to come, in ms: less than the runner does. A busy machine needs seconds for it. */
const deadlineMs = 25_000

/** A gateway behind a real HTTP server. A token is a user's id, and every user is an editor. */
async function startServer() {
  const http = createServer()
  const ended = new Set<string>()
  let afterVerify = () => {}
  const tokens = {
    verify: (token: string) => {
      queueMicrotask(afterVerify)
      if (ended.has(token)) throw new SyncError('unauthenticated', 'the session has ended')
      if (!/^[0-9a-f]{32}$/.test(token)) throw new SyncError('unauthenticated', 'no such token')
      return {
        userId: token as UserId,
        userName: 'Anna',
        sessionId: token,
        tokenExpiresAt: Date.now() + 600_000,
      }
    },
  }
  const spaces = createSpaces({ storage: createInlineStorage(createMemoryOpLogs(), newEpoch()) })
  const accessId = randomHexId() as AccessId
  const errors: object[] = []
  const logger = { info: () => {}, warn: () => {}, error: (details: object) => void errors.push(details) }
  const gateway = createGateway({
    spaces,
    access: { roleOf: () => 'editor' },
    accessLists: {
      of: (id) => ({ identity: id as string as SpaceIdentity, name: 'Notes', createdAt: 0, accessId }),
      knows: () => true,
      seal: () => ({ accessId, seal: 'the members' }),
    },
    tokens,
    logger,
    limits: { maxBacklogBytes: 1_000_000 },
  })
  const attached = attachSocketIo(http, { gateway, tokens, logger })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const clients: ClientSocket[] = []
  return {
    url,
    gateway,
    errors,
    /** Ends the session in the same turn as its handshake is accepted. */
    endAfterHandshake: (token: string) => {
      afterVerify = () => {
        ended.add(token)
        gateway.sessionEnded(token)
      }
    },
    connect: (auth: object, options: object = {}) => {
      const client = io(url, {
        auth,
        reconnection: false,
        forceNew: true,
        transports: ['websocket'],
        ...options,
      })
      clients.push(client)
      return client
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.disconnect()
      await gateway.close()
      await attached.close()
      await spaces.close()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

const goodAuth = () => ({ token: randomHexId(), protocolVersion })

function next(client: ClientSocket, event: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} came`)), deadlineMs)
    client.once(event, (payload: unknown) => {
      clearTimeout(timer)
      resolve(payload)
    })
  })
}

it.each([['websocket'], ['polling']])(
  'joins, pushes, is told of appends and pulls over %s',
  async (transport) => {
    await using server = await startServer()
    const anna = server.connect(goodAuth(), { transports: [transport] })
    const ben = server.connect(goodAuth(), { transports: [transport] })
    for (const client of [anna, ben]) {
      const joined = await client.timeout(deadlineMs).emitWithAck('space:join', { spaceId })
      expect(joined).toMatchObject({ ok: true, cursor: 0, head: 0, role: 'editor' })
    }
    const appended = next(ben, 'ops:appended')
    const ops = opsFrom(1, 3)
    const pushed = await anna
      .timeout(deadlineMs)
      .emitWithAck('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })
    expect(pushed).toMatchObject({ ok: true, after: 0, cursor: 3, head: 3, duplicates: 0, rejected: [] })
    const { batch, after, cursor } = (await appended) as { batch: Uint8Array; after: number; cursor: number }
    expect({ after, cursor }).toEqual({ after: 0, cursor: 3 })
    expect(decodeBatch(new Uint8Array(batch)).ops).toEqual(ops)
    const page = await ben.timeout(deadlineMs).emitWithAck('ops:pull', { spaceId, after: 1 })
    expect(page).toMatchObject({ ok: true, after: 1, cursor: 3, head: 3 })
    expect(decodeBatch(new Uint8Array(page.batch)).ops).toEqual(ops.slice(1))
  },
)

it.each([
  ['no token', { protocolVersion }, 'unauthenticated'],
  ['an empty token', { protocolVersion, token: '' }, 'unauthenticated'],
  ['a token that is not text', { protocolVersion, token: { $ne: 1 } }, 'unauthenticated'],
  ['an invalid token', { protocolVersion, token: 'nonsense' }, 'unauthenticated'],
  ['no version', { token: 'a'.repeat(32) }, 'invalid_request'],
])('[AU1] refuses a handshake with %s', async (_, auth, code) => {
  await using server = await startServer()
  const error = (await next(server.connect(auth), 'connect_error')) as { data?: unknown }
  expect(error.data).toMatchObject({ code, message: expect.any(String) })
})

it.each([[0.5], [protocolVersion + 1], [99]])('[VE1] refuses protocol version %d', async (version) => {
  await using server = await startServer()
  const client = server.connect({ ...goodAuth(), protocolVersion: version })
  const error = (await next(client, 'connect_error')) as { data?: unknown }
  expect(error.data).toMatchObject({ code: version < 1 ? 'invalid_request' : 'unsupported_version' })
})

it('survives anything that a client emits', async () => {
  await using server = await startServer()
  const client = server.connect(goodAuth())
  await next(client, 'connect')
  const deep = JSON.parse('['.repeat(3_000) + ']'.repeat(3_000)) as unknown
  for (const name of [...Object.keys(requests), 'ops:transient', 'presence:set', 'no:such', 'error']) {
    for (const args of [[], [null], [deep], [{ spaceId }], [new Uint8Array(9)], [1, 2, 3]])
      client.emit(name, ...args)
  }
  // Only an ack, without a payload.
  const onlyAck = await client.timeout(deadlineMs).emitWithAck('space:join')
  expect(onlyAck).toMatchObject({ ok: false, error: { code: 'invalid_request' } })
  expect(await client.timeout(deadlineMs).emitWithAck('space:join', { spaceId })).toMatchObject({ ok: true })
  expect(server.errors).toEqual([])
})

const nested = (inside: string) => '['.repeat(100_000) + inside + ']'.repeat(100_000)

it.each([
  ['a payload nested 100,000 deep', [`20["space:join",${nested('')}]`]],
  [
    'the same with a binary part',
    [`51-0["ops:push",${nested('{"_placeholder":true,"num":0}')}]`, new Uint8Array(3)],
  ],
  ['a placeholder for nothing', ['51-0["ops:push",{"_placeholder":true,"num":7}]', new Uint8Array(3)]],
  ['binary data without a packet', [new Uint8Array(3)]],
  ['no JSON', ['20["space:join",{']],
  ['a packet of no type', ['9']],
  ['an event with a name of Socket.io’s own', ['2["disconnect","x"]']],
])('survives %s, sent as raw packets', async (_, frames) => {
  await using server = await startServer()
  const client = server.connect(goodAuth())
  await next(client, 'connect')
  const settled = Promise.race([
    next(client, 'disconnect'),
    client.timeout(deadlineMs).emitWithAck('space:join', { spaceId }),
  ])
  for (const frame of frames) client.io.engine.write(frame)
  await settled
  const other = server.connect(goodAuth())
  expect(await other.timeout(deadlineMs).emitWithAck('space:join', { spaceId })).toMatchObject({ ok: true })
  expect(server.errors).toEqual([])
})

/** Resolves with the answer to the handshake. */
const answer = Symbol('answer')

it.each<[string, (hello: string) => (string | typeof answer)[]]>([
  ['binary parts before its handshake', () => ['451-["ops:push",{"_placeholder":true,"num":0}]']],
  ['two handshakes at once', (hello) => [hello, hello]],
  ['a handshake with another namespace', (hello) => [hello, answer, '40/other,{}']],
  ['many binary parts in one event', (hello) => [hello, answer, '4510-["ops:push",{}]']],
])('[LI10] disconnects a client that sends %s', async (_, framesFor) => {
  await using server = await startServer()
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
  const heard = (isIt: (text: string) => boolean) =>
    new Promise<void>((resolve) => {
      socket.addEventListener('message', ({ data }) => {
        if (isIt(String(data))) resolve()
      })
    })
  const ended = new Promise<string>((resolve) => socket.addEventListener('close', () => resolve('ended')))
  const answered = heard((text) => text.startsWith('40'))
  await heard((text) => text.startsWith('0'))
  for (const frame of framesFor(`40${JSON.stringify(goodAuth())}`)) {
    if (frame === answer) await answered
    else socket.send(frame)
  }
  expect(await ended).toBe('ended')
  expect(server.gateway.size).toBe(0)
})

it('[LI10] admits nobody for a payload with several handshakes', async () => {
  await using server = await startServer()
  const url = `${server.url}/socket.io/?EIO=4&transport=polling`
  const opened = await (await fetch(url)).text()
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string }
  const body = Array.from({ length: 200 }, () => `40${JSON.stringify(goodAuth())}`).join('\u001e')
  await fetch(`${url}&sid=${sid}`, { method: 'POST', body })
  const honest = server.connect(goodAuth())
  expect(await honest.timeout(deadlineMs).emitWithAck('space:join', { spaceId })).toMatchObject({ ok: true })
  expect(server.gateway.size).toBe(1)
})

it('[LI1] takes a batch at its limit, and disconnects a client that sends a larger message than allowed', async () => {
  await using server = await startServer()
  const client = server.connect(goodAuth())
  await client.timeout(deadlineMs).emitWithAck('space:join', { spaceId })
  const batch = encodeBatch({ spaceId, ops: [setOp(1, 'x'.repeat(500_000))] })
  const pushed = client.timeout(deadlineMs).emitWithAck('ops:push', { spaceId, batch })
  expect(await pushed).toMatchObject({ cursor: 1 })
  const cut = next(client, 'disconnect')
  client.emit('ops:push', { spaceId, batch: new Uint8Array(1_100_000) }, () => {})
  expect(await cut).toBe('transport close')
  const again = server.connect(goodAuth())
  expect(await again.timeout(deadlineMs).emitWithAck('space:join', { spaceId })).toMatchObject({ head: 1 })
})

it('[AU5] disconnects the sockets of an ended session, and tells the sockets of a closing server', async () => {
  await using server = await startServer()
  const [anna, ben] = [goodAuth(), goodAuth()]
  const [annas, bens] = [server.connect(anna), server.connect(ben)]
  for (const client of [annas, bens]) await client.timeout(deadlineMs).emitWithAck('space:join', { spaceId })
  const cut = next(annas, 'disconnect')
  server.gateway.sessionEnded(anna.token)
  expect(await cut).toBe('io server disconnect')
  const told = next(bens, 'space:closed')
  const gone = next(bens, 'disconnect')
  await server.gateway.close()
  expect(await told).toEqual({ spaceId, reason: 'unavailable' })
  await gone
})

it('[AU5] serves no socket whose session ended between its handshake and its first event', async () => {
  await using server = await startServer()
  const auth = goodAuth()
  server.endAfterHandshake(auth.token)
  const client = server.connect(auth)
  const answer = client.timeout(deadlineMs).emitWithAck('space:join', { spaceId })
  const outcome = Promise.race([answer, next(client, 'disconnect')])
  expect(await outcome.catch((error: unknown) => error)).toBe('io server disconnect')
  client.disconnect()
  await answer.catch(() => {})
})

it('[AP4] keeps little for a client that reads nothing, and tells it to pull once it reads again', async () => {
  await using server = await startServer()
  const [writer, slow] = [server.connect(goodAuth()), server.connect(goodAuth())]
  for (const client of [writer, slow]) await client.timeout(deadlineMs).emitWithAck('space:join', { spaceId })
  const appended: { after: number; cursor: number }[] = []
  slow.on('ops:appended', ({ after, cursor }: { after: number; cursor: number }) =>
    appended.push({ after, cursor }),
  )
  const network = socketUnder(slow)
  network.pause()
  const pushes = 60
  for (let clock = 1; clock <= pushes; clock++) {
    const batch = encodeBatch({ spaceId, ops: [setOp(clock, 'x'.repeat(400_000))] })
    expect(await writer.timeout(deadlineMs).emitWithAck('ops:push', { spaceId, batch })).toMatchObject({
      ok: true,
    })
  }
  network.resume()
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('it was never told')), deadlineMs)
    slow.on('ops:appended', ({ cursor }: { cursor: number }) => {
      if (cursor !== pushes) return
      clearTimeout(timer)
      resolve()
    })
  })
  expect(appended.length).toBeLessThan(pushes)
  expect(appended.at(-1)).toEqual({ after: pushes, cursor: pushes })
})

/** The TCP socket of a client's WebSocket, which a test can pause. */
function socketUnder(client: ClientSocket): { pause(): void; resume(): void } {
  const { transport } = client.io.engine as unknown as {
    transport: { ws: { _socket: { pause(): void; resume(): void } } }
  }
  return transport.ws._socket
}
