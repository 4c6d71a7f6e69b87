import { get, type IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

import { encodeBatch, randomHexId, sessionSchema, type SpaceId, type TreeOperation } from '@t69/protocol'

import { watchMemory } from '../faults/server-memory.ts'
import { rootOf } from '../lib/cast.ts'
import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'
import { startServer } from '../lib/server-process.ts'
import { coreSeconds } from './core-seconds.ts'

/**
 * What a bystander notices of accounts that do as much as they may: for each shape of work, how long `/health` and the acks of
 * single edits take meanwhile, the server's peak memory, and its cores. The bystander has a thread of its own.
 *
 *     pnpm build && node --conditions=source tests/bench/fair-share.ts [accounts] [sockets of each] [seconds] [shape]
 */

const accounts = Number(process.argv[2] ?? 4)
const socketsOfEach = Number(process.argv[3] ?? 50)
const seconds = Number(process.argv[4] ?? 10)
const password = 'correct horse battery'

interface Attacker {
  readonly token: string
  readonly spaceId: SpaceId
  readonly sockets: readonly RawSocket[]
}

interface Bystander {
  readonly url: string
  readonly token: string
  readonly spaceId: SpaceId
}

type Shape = (attacker: Attacker, url: string, isOver: () => boolean) => Promise<unknown>

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function edits(spaceId: SpaceId, first: number, count: number): TreeOperation[] {
  const [root] = rootOf(spaceId)
  if (root === undefined) throw new Error('the tree has no root')
  const { parentId: _, ...base } = { ...root, peerId: randomHexId() as TreeOperation['peerId'] }
  return Array.from({ length: count }, (_, index) => ({
    ...base,
    clock: first + index,
    key: 'k',
    value: index,
  }))
}

/** Repeats on each socket, with a short wait after a refusal: less than the server says. */
const onEach =
  (ask: (socket: RawSocket, attacker: Attacker, nth: number) => Promise<string>): Shape =>
  (attacker, _url, isOver) =>
    Promise.all(
      attacker.sockets.map(async (socket, nth) => {
        while (!isOver() && socket.io.connected) {
          const outcome = await ask(socket, attacker, nth).catch(() => 'no answer')
          if (outcome !== 'ok') await pause(50)
        }
      }),
    )

const shapes: Record<string, Shape> = {
  'small operations, 20,000 a push': onEach((socket, { spaceId }, nth) =>
    socket.outcomeOf('ops:push', {
      spaceId,
      batch: encodeBatch({ spaceId, ops: edits(spaceId, 2 + nth, 20_000) }),
    }),
  ),
  'pages of the whole log': onEach((socket, { spaceId }) =>
    socket.outcomeOf('ops:pull', { spaceId, after: 0 }),
  ),
  'joins and leaves': onEach(async (socket, { spaceId }) => {
    await socket.outcomeOf('space:leave', { spaceId })
    return socket.outcomeOf('space:join', { spaceId })
  }),
  'presence of 60 kB': async ({ sockets, spaceId }, _url, isOver) => {
    const state = 'x'.repeat(60_000)
    while (!isOver()) {
      for (const { io } of sockets) io.emit('presence:set', { spaceId, state })
      await pause(20)
    }
  },
  'messages of 900 kB that say nothing': async ({ sockets }, _url, isOver) => {
    const nothing = JSON.parse(`[${'[],'.repeat(300_000)}[]]`) as unknown[]
    while (!isOver()) {
      for (const { io } of sockets) if (io.connected) io.emit('ops:transient', nothing)
      await pause(500)
    }
  },
  'many tiny requests': async ({ sockets }, _url, isOver) => {
    while (!isOver()) {
      for (const { io } of sockets) for (let nr = 0; nr < 100; nr++) io.emit('space:leave', {}, () => {})
      await pause(100)
    }
  },
  'lists that are not read': async ({ token }, url, isOver) => {
    const answers: IncomingMessage[] = []
    while (!isOver()) {
      await new Promise<void>((resolve) => {
        const headers = { authorization: `Bearer ${token}` }
        const asked = get(`${url}/api/spaces`, { headers, agent: false }, (answer) => {
          answers.push(answer)
          answer.on('error', () => {})
          resolve()
        })
        asked.once('error', () => resolve())
      })
      await pause(20)
    }
    for (const answer of answers) answer.destroy()
  },
  'digests of a tree': onEach(async (socket, { spaceId }) => {
    const ack = await socket.request('space:join', { spaceId })
    if (!ack.ok) return 'refused'
    const { logId, head: cursor } = ack
    return socket.outcomeOf('tree:compare', {
      spaceId,
      treeId: spaceId,
      logId,
      cursor,
      digest: '0'.repeat(32),
    })
  }),
}

if (isMainThread) await main()
else await watch(workerData as Bystander)

async function main(): Promise<void> {
  const chosen = process.argv[5]
  for (const [name, shape] of Object.entries(shapes)) {
    if (chosen === undefined || name.includes(chosen)) await measure(name, shape)
  }
}

async function measure(name: string, shape: Shape): Promise<void> {
  await using server = await startServer({ env: { LOG_LEVEL: 'error' } })
  const { url } = server
  const attackers: Attacker[] = []
  for (let nr = 0; nr < accounts; nr++) attackers.push(await attackerOf(url, nr))
  const bystander = { url, token: await signUp(url, 'bystander'), spaceId: randomHexId() as SpaceId }
  await register(url, bystander.token, bystander.spaceId)
  const watching = new Worker(fileURLToPath(import.meta.url), { workerData: bystander })
  await new Promise((resolve) => watching.once('message', resolve))
  const memory = await watchMemory(server.pid ?? 0)
  const before = await coreSeconds(server.pid)
  const until = performance.now() + seconds * 1_000
  await Promise.all(attackers.map((one) => shape(one, url, () => performance.now() > until)))
  const cores = ((await coreSeconds(server.pid)) - before) / seconds
  const peakMiB = await memory.totalMiB()
  const figures = new Promise((resolve) => watching.once('message', resolve))
  watching.postMessage('enough')
  console.log(name, { ...((await figures) as object), peakMiB, cores: Math.round(cores * 100) / 100 })
  await watching.terminate()
  for (const { sockets } of attackers) for (const socket of sockets) socket.io.disconnect()
}

async function attackerOf(url: string, nr: number): Promise<Attacker> {
  const token = await signUp(url, `attacker ${nr}`)
  const spaceId = randomHexId() as SpaceId
  await register(url, token, spaceId)
  const sockets: RawSocket[] = []
  for (let index = 0; index < socketsOfEach; index++) {
    const socket = await connectRaw(url, token)
    await socket.request('space:join', { spaceId })
    sockets.push(socket)
  }
  const ops = [...rootOf(spaceId), ...edits(spaceId, 2, 19_000)]
  await sockets[0]?.request('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })
  return { token, spaceId, sockets }
}

/** Runs on the bystander's thread: one edit after the other, and `/health` beside it, until it is told that it is enough. */
async function watch({ url, token, spaceId }: Bystander): Promise<void> {
  const socket = await connectRaw(url, token)
  await socket.request('space:join', { spaceId })
  await socket.request('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops: rootOf(spaceId) }) })
  let isOver = false
  parentPort?.once('message', () => {
    isOver = true
  })
  parentPort?.postMessage('ready')
  const acks: number[] = []
  const health: number[] = []
  await Promise.all([
    time(acks, (nr) =>
      socket.request('ops:push', {
        spaceId,
        batch: encodeBatch({ spaceId, ops: edits(spaceId, 2 + nr, 1) }),
      }),
    ),
    time(health, () =>
      fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) }).then((it) => it.text()),
    ),
  ])
  parentPort?.postMessage({ healthMs: quantiles(health), ackMs: quantiles(acks) })

  async function time(into: number[], ask: (nr: number) => Promise<unknown>): Promise<void> {
    while (!isOver) {
      const begun = performance.now()
      // What is not answered in ten seconds counts as ten seconds.
      await ask(into.length).catch(() => {})
      into.push(performance.now() - begun)
      await pause(20)
    }
  }
}

function quantiles(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0)
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} of ${times.length}`
}

async function post(url: string, path: string, token: string | undefined, body: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

async function signUp(url: string, name: string): Promise<string> {
  const email = `${name.replaceAll(' ', '.')}@example.org`
  return sessionSchema.parse(await post(url, '/api/auth/register', undefined, { email, password, name }))
    .accessToken
}

async function register(url: string, token: string, id: SpaceId): Promise<void> {
  await post(url, '/api/spaces', token, { id, name: 'Space' })
}
