import { connect as connectTcp, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import { protocolVersion, type SpaceId } from '@t69/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createCast, freshEdit, type Cast } from '../lib/cast.ts'
import { startLiveServer, type LiveServer } from '../lib/live-server.ts'
import { createRandom, type Random } from '../lib/random.ts'
import { connectRaw } from '../lib/raw-socket.ts'

/**
 * Frames that Socket.io does not know or that its own client never sends, over real sockets. At most they end the
 * connection that they came on, and no other connection is affected.
 */
const seed = Number(process.env['FUZZ_SEED'] ?? 1)
const connections = Number(process.env['FUZZ_FRAMES'] ?? 150)
const deadlineMs = 60_000

let server: LiveServer
let cast: Cast
let spaceId: SpaceId
beforeAll(async () => {
  server = await startLiveServer({ SOCKET_LIMIT_PER_ADDRESS: '1000000', SOCKET_LIMIT_PER_USER: '1000000' })
  cast = await createCast(server)
  spaceId = await cast.space()
})
afterAll(async () => {
  await cast[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** An honest client joins, writes, and is answered. */
async function othersAreServed(): Promise<boolean> {
  using writer = await connectRaw(server.url, cast.people.owner.token)
  using reader = await connectRaw(server.url, cast.people.viewer.token)
  for (const socket of [writer, reader]) expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
  expect(await writer.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch })).toBe('ok')
  await reader.next('ops:appended')
  return true
}

/** A WebSocket that sends any frame. */
interface Bare {
  send(frame: string | Uint8Array<ArrayBuffer>): void
  /** Resolves once the server has handled everything sent before: it has answered a ping of Socket.io, or closed. */
  settled(after: string): Promise<'open' | 'closed'>
  close(): void
}

async function openBare(): Promise<Bare> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
  socket.binaryType = 'arraybuffer'
  let isOpen = true
  const waiting = new Map<string, () => void>()
  let asked = 0
  socket.addEventListener('message', ({ data }) => {
    if (data === '2') socket.send('3')
    if (typeof data === 'string') waiting.get(/^[0-9]+/.exec(data)?.[0] ?? '')?.()
  })
  socket.addEventListener('close', () => {
    isOpen = false
    for (const done of waiting.values()) done()
  })
  await new Promise<void>((resolve) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => resolve())
  })
  const admitted = new Promise<void>((resolve) => waiting.set('40', resolve))
  socket.send(`40${JSON.stringify({ token: cast.people.editor.token, protocolVersion })}`)
  await within(admitted, 'not let in')
  return {
    send: (frame) => {
      if (isOpen) socket.send(frame)
    },
    settled: async (after) => {
      const id = 900_000 + asked++
      const answered = new Promise<void>((resolve) => waiting.set(`43${id}`, resolve))
      if (!isOpen) return 'closed'
      socket.send(`42${id}["space:leave",{"spaceId":"${'f'.repeat(32)}"}]`)
      await within(answered, `no answer and no end after ${after}`)
      return isOpen ? 'open' : 'closed'
    },
    close: () => socket.close(),
  }
}

async function within<T>(promise: Promise<T>, problem: string): Promise<T> {
  const stop = new AbortController()
  const late = wait(deadlineMs, undefined, { signal: stop.signal }).then(
    () => Promise.reject(new Error(problem)),
    () => new Promise<never>(() => {}),
  )
  return Promise.race([promise, late]).finally(() => stop.abort())
}

const honestFrames = (): string[] => [
  `421["space:join",{"spaceId":"${spaceId}"}]`,
  `422["ops:pull",{"spaceId":"${spaceId}","after":0}]`,
  `451-3["ops:push",{"spaceId":"${spaceId}","batch":{"_placeholder":true,"num":0}}]`,
  `42["presence:set",{"spaceId":"${spaceId}","state":{"x":1}}]`,
  '2probe',
  '5',
]
// oxfmt-ignore
const pieces = [
  '0', '1', '2', '3', '4', '5', '6', '40', '41', '42', '43', '44', '45', '46', '47', '451-', '450-', '-', ',', '/',
  '[', ']', '{', '}', '"', 'null', '1e999', '99999999999999999999', '["space:join"', '/admin,', '__proto__', '[]',
  '{"_placeholder":true,"num":-1}', '{"_placeholder":true,"num":1e9}', '["__proto__"]', '\u0000', '\u001e', '😀',
  '["connect"]', '["disconnecting"]', '["error",{}]', '["newListener"]', '[[]]', '[null]', '["toString"]',
]

function frame(random: Random): string | Uint8Array<ArrayBuffer> {
  if (random.chance(0.15)) return Uint8Array.from({ length: random.below(200) }, () => random.below(256))
  if (random.chance(0.4))
    return Array.from({ length: 1 + random.below(5) }, () => random.pick(pieces)).join('')
  const honest = random.pick(honestFrames())
  const at = random.below(honest.length)
  const end = at + random.below(5)
  const inserted = random.chance(0.5) ? random.pick(pieces) : ''
  return random.chance(0.5) ? honest : honest.slice(0, at) + inserted + honest.slice(end)
}

test(
  `[ER2] a frame of any kind ends at most its own connection (seed ${seed})`,
  { timeout: 600_000 },
  async () => {
    const random = createRandom(seed)
    const ends = { open: 0, closed: 0 }
    for (let left = connections; left > 0; left -= 10) {
      await Promise.all(
        Array.from({ length: 10 }, async () => {
          const bare = await openBare()
          const frames = Array.from({ length: 1 + random.below(12) }, () => frame(random))
          for (const one of frames) bare.send(one)
          ends[await bare.settled(JSON.stringify(frames))]++
          bare.close()
        }),
      )
    }
    expect(ends.open).toBeGreaterThan(0)
    expect(ends.closed).toBeGreaterThan(0)
    expect(await othersAreServed()).toBe(true)
  },
)

test('a disconnect packet ends the connection, so that nobody evades the limit of sockets by connecting on it again', async () => {
  const bare = await openBare()
  for (const frame of ['41', `40${JSON.stringify({ token: cast.people.editor.token, protocolVersion })}`])
    bare.send(frame)
  expect(await bare.settled('leaving and coming back')).toBe('closed')
})

test('polling with any body, session or protocol version is at most refused', async () => {
  const base = `${server.url}/socket.io/`
  const opened = await fetch(`${base}?EIO=4&transport=polling`)
  const { sid } = JSON.parse((await opened.text()).slice(1)) as { sid: string }
  const queries = [
    '',
    'EIO=3&transport=polling',
    'EIO=99&transport=polling',
    'EIO=4',
    'EIO=4&transport=nonsense',
    'EIO=4&transport=__proto__',
    'EIO=4&transport=constructor',
    'EIO=4&transport=polling&sid=unknown',
    'EIO=4&transport=polling&sid=__proto__',
    `EIO=4&transport=polling&sid=${'x'.repeat(4_000)}`,
    'EIO=4&EIO=3&transport=polling&transport=websocket',
    'EIO=4&transport=websocket&sid=a&sid=b',
    '%zz',
  ]
  for (const query of queries) {
    for (const method of ['GET', 'POST', 'OPTIONS', 'DELETE']) {
      const response = await fetch(`${base}?${query}`, { method, ...(method === 'POST' && { body: '40' }) })
      expect(response.status, `${method} ${query}`).toBeLessThan(500)
      await response.arrayBuffer()
    }
  }
  const bodies = ['', '\u001e'.repeat(100_000), '4'.repeat(100_000), 'b', 'b====', `40${'['.repeat(100_000)}`]
  for (const body of [
    ...bodies,
    '6',
    '40{"token":1}\u001e40{}\u001e41',
    '\u0000',
    '40/x,\u001e'.repeat(20_000),
  ]) {
    const again = JSON.parse((await (await fetch(`${base}?EIO=4&transport=polling`)).text()).slice(1)) as {
      sid: string
    }
    for (const id of [again.sid, sid]) {
      const response = await fetch(`${base}?EIO=4&transport=polling&sid=${id}`, { method: 'POST', body })
      expect(response.status).toBeLessThan(500)
      await response.arrayBuffer()
    }
  }
  const large = fetch(`${base}?EIO=4&transport=polling&sid=${sid}`, {
    method: 'POST',
    body: '4'.repeat(1_100_000),
  })
  expect((await large.catch(() => ({ status: 413 }))).status).toBeGreaterThanOrEqual(400)
  expect(await othersAreServed()).toBe(true)
})

test('thousands of connects to unknown namespaces on one connection are refused', async () => {
  const bare = await openBare()
  for (let number = 0; number < 5_000; number++) bare.send(`40/n${number},{"token":"x"}`)
  for (let number = 0; number < 5_000; number++) bare.send(`42/n${number},["space:join",{}]`)
  expect(await bare.settled('all of it')).toMatch(/open|closed/)
  bare.close()
  expect(await othersAreServed()).toBe(true)
})

test('odd ack ids, and acks of requests that were never sent, affect nobody else', async () => {
  const bare = await openBare()
  for (const id of ['0', '9'.repeat(15), '9'.repeat(300), '-1', '1.5', '00']) {
    bare.send(`42${id}["space:leave",{"spaceId":"${spaceId}"}]`)
    bare.send(`43${id}[{"ok":true}]`)
    bare.send(`461-${id}[{"_placeholder":true,"num":0}]`)
    bare.send(Uint8Array.of(1))
  }
  expect(await bare.settled('all of it')).toMatch(/open|closed/)
  bare.close()
  expect(await othersAreServed()).toBe(true)
})

test('unfinished handshakes do not keep others out', { timeout: 60_000 }, async () => {
  const { port } = new URL(server.url)
  const begun: Socket[] = []
  const heads = [
    '',
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n',
    `POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  ]
  for (let number = 0; number < 200; number++) {
    const socket = connectTcp(Number(port), '127.0.0.1')
    socket.on('error', () => {})
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
    socket.write(heads[number % heads.length] ?? '')
    begun.push(socket)
  }
  expect(await othersAreServed()).toBe(true)
  for (const socket of begun) socket.destroy()
})
