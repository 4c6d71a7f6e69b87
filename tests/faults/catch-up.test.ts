import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { zstdCompressSync } from 'node:zlib'

import { packBatches, randomHexId, spaceIdSchema, type TreeOperation } from '@t69/protocol'
import { Replica, toVertexOperation } from '@t69/replica'
import type { Space } from '@t69/sync-client'
import { afterAll, beforeAll, expect, it } from 'vitest'

import { createChatHistory, type ChatHistory } from '../lib/chat-history.ts'
import { createNetworkLink } from '../lib/network-link.ts'
import { createRandom } from '../lib/random.ts'
import { connectRaw, outcomeOf } from '../lib/raw-socket.ts'
import { startServer, type ServerProcess } from '../lib/server-process.ts'
import { createCatchUpDevice, type CatchUpDevice, type StoredStep } from './catch-up-device.ts'
import { anna, createFleet, live, roomyLimits, serverTree, type Fleet } from './fleet.ts'
import { watchMemory } from './server-memory.ts'
import { idAndContent, readOps, spaceFile } from './space-file.ts'
import { watchWire, type WatchedWire } from './watched-wire.ts'

/** Set FAULT_CATCH_UP=500000 for the long run. */
const count = Number(process.env['FAULT_CATCH_UP'] ?? 40_000)
const isLong = count >= 500_000
const cuts = isLong ? 100 : 15
const sleeperCount = isLong ? 50 : 8
const seed = Number(process.env['FAULT_SEED'] ?? 1)
const spaceId = spaceIdSchema.parse(randomHexId())

/** Fifty devices of one person send more requests than one person may. */
const env = {
  ...roomyLimits,
  REQUESTS_PER_SECOND_AND_SOCKET: '100000',
  REQUESTS_PER_SECOND_AND_USER: '100000',
  BYTES_PER_SECOND_AND_USER: '1GB',
  OPERATIONS_PER_SECOND_AND_USER: '10000000',
  SPACE_QUOTA_OPERATIONS: '1000000',
}

let server: ServerProcess
let fleet: Fleet
let history: ChatHistory
let contents: Contents
/** The history, packed as batches. */
let historyBytes: number
/** The same under zstd, as pages are sent. */
let pagesBytes: number

beforeAll(async () => {
  server = await startServer({ env })
  fleet = await createFleet(server.url)
  history = createChatHistory(spaceId, { count, large: 8, seed })
  const all = [...history.trees.values()].flat()
  contents = contentsOfOps(all)
  historyBytes = 0
  pagesBytes = 0
  for (const { bytes } of packBatches(spaceId, all)) {
    historyBytes += bytes.length
    pagesBytes += zstdCompressSync(bytes).length
  }
})
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** The number of operations, and a hash of their set that does not depend on the order. */
interface Contents {
  readonly count: number
  readonly sum: string
}

function contentsOf(lines: Iterable<readonly [id: string, content: string]>): Contents {
  let [total, sum] = [0, 0n]
  for (const [id, content] of lines) {
    sum += createHash('sha1').update(`${id} ${content}`).digest().readBigUInt64BE()
    total++
  }
  return { count: total, sum: sum.toString(36) }
}

const contentsOfOps = (ops: readonly TreeOperation[]): Contents => contentsOf(ops.map(idAndContent))

function contentsOfServer(): Contents {
  return contentsOf(readOps(spaceFile(server.dataDir, spaceId)).contents)
}

async function contentsOfDevice({ storage }: CatchUpDevice): Promise<Contents> {
  const ops: TreeOperation[][] = []
  for (const treeId of history.treeIds) ops.push(await storage.readTree(spaceId, treeId))
  return contentsOfOps(ops.flat())
}

/** The digests of a few trees on the device and on the server. */
async function expectSameTrees(device: CatchUpDevice): Promise<void> {
  const token = await fleet.token()
  for (const treeId of [...history.treeIds.slice(0, 3), ...history.treeIds.slice(-1)]) {
    const ops = await device.storage.readTree(spaceId, treeId)
    using replica = new Replica({ treeId, ops: ops.map(toVertexOperation) })
    const { digest } = await serverTree(server.url, token, spaceId, treeId)
    expect(replica.digest()).toBe(digest)
  }
}

type Fault = 'cut' | 'crash' | 'kill'

/** Cuts the link `cuts` times, at any of the `bytes` that have to pass. Sometimes the process of the device or the server dies with it. */
async function cutOften(
  wire: WatchedWire,
  device: CatchUpDevice,
  { space, bytes }: { readonly space: Space; readonly bytes: number },
): Promise<{ space: Space; faults: Record<Fault, number> }> {
  const random = createRandom(seed)
  const faults = { cut: 0, crash: 0, kill: 0 }
  const everyBytes = (bytes * 0.9) / cuts
  let current = space
  for (let cut = 0; cut < cuts; cut++) {
    await wire.passed(random.below(2 * everyBytes))
    wire.link.cut()
    const fault: Fault = random.pick(['cut', 'cut', 'cut', 'cut', 'crash', 'kill'])
    faults[fault]++
    if (fault === 'kill') {
      await server.kill()
      await server.start()
    }
    if (fault === 'crash') device.crash()
    wire.link.restore()
    if (fault === 'crash') current = await device.open(spaceId)
  }
  return { space: current, faults }
}

/** The time to read a page at the end of the log, divided by that at the start: medians of a quarter each. */
function slowdown(steps: readonly StoredStep[]): number {
  const quarter = Math.ceil(steps.length / 4)
  const median = (part: readonly StoredStep[]): number =>
    part.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)[Math.floor(part.length / 2)] ?? 0
  return median(steps.slice(-quarter)) / median(steps.slice(1, quarter + 1))
}

/** Waits until the device has read the log to its end and sent everything that it lacked. */
async function settled(space: Space): Promise<void> {
  await live(space)
  await space.flushed()
}

function report(what: string, begun: number, figures: object): void {
  const seconds = Math.round((performance.now() - begun) / 100) / 10
  console.log(what, {
    operations: count,
    cuts,
    seconds,
    opsPerSecond: Math.round(count / seconds),
    ...figures,
  })
}

/** A device on which the whole history was written, and which has not sent it. */
async function localDevice(socketUrl: string): Promise<{ device: CatchUpDevice; space: Space }> {
  const device = createCatchUpDevice(server.url, anna, { socketUrl })
  const createdAt = new Date()
  await device.storage.putSpace({
    id: spaceId,
    uri: `browser://${spaceId}`,
    name: 'Years',
    createdAt,
    userId: null,
  })
  for (const ops of history.trees.values()) await device.storage.appendLocal(spaceId, ops)
  return { device, space: await device.open(spaceId) }
}

/** The device on which the history was written. */
let writer: CatchUpDevice

it(`[LI1] [CL9] a device sends ${count} operations over a link that is cut ${cuts} times, whatever process dies`, async () => {
  await using wire = await watchWire(server.url)
  const local = await localDevice(wire.link.url)
  writer = local.device
  const begun = performance.now()
  await local.space.enableSync()
  const { space, faults } = await cutOften(wire, local.device, {
    space: local.space,
    bytes: historyBytes,
  })
  await settled(space)
  report('sent in pieces', begun, { ...faults, ...wire.largestMessage, wireBytes: wire.bytes, historyBytes })
  writer.crash()
  expect(contentsOfServer()).toEqual(contents)
  expect(await contentsOfDevice(writer)).toEqual(contents)
  expect(wire.tooLarge).toEqual([])
})

it(`[LI1] [PL2] a device fetches ${count} operations over a link cut ${cuts} times, and repeats only pages in flight`, async () => {
  await using wire = await watchWire(server.url)
  await using device = createCatchUpDevice(wire.link.url, anna)
  await device.start()
  const begun = performance.now()
  const { space, faults } = await cutOften(wire, device, {
    space: await device.open(spaceId),
    bytes: pagesBytes,
  })
  await settled(space)
  report('fetched in pieces', begun, {
    ...faults,
    ...wire.largestMessage,
    wireBytes: wire.bytes,
    pagesBytes,
  })
  expect(await contentsOfDevice(device)).toEqual(contents)
  await expectSameTrees(device)
  expect(wire.tooLarge).toEqual([])
  for (const { after, stored } of device.pulls) expect(after).toBeGreaterThanOrEqual(stored)
  const pages = device.steps.length
  expect(device.pulls.length).toBeLessThanOrEqual(pages + 2 * cuts + 2)
  for (const { request, reply } of wire.joins) expect(request + reply).toBeLessThan(1_000)
  console.log({ pages, pulls: device.pulls.length, join: wire.joins.at(-1) })
})

it.each(isLong ? [0, 75] : [0])(
  `[PL2] a device fetches ${count} operations page by page, in bounded memory, at a delay of %d ms each way`,
  async (delayMs) => {
    await server.stop()
    await server.start()
    await using wire = await watchWire(server.url, delayMs)
    await using device = createCatchUpDevice(wire.link.url, anna)
    await device.start()
    const memory = await watchMemory(server.pid ?? 0)
    const begun = performance.now()
    const space = await device.open(spaceId)
    await settled(space)
    const peakMiB = await memory.peakMiB()
    const [pages, asked] = [device.steps.length, device.pulls.map(({ after }) => after)]
    report('fetched', begun, { delayMs, peakMiB, slower: slowdown(device.steps), pages })
    expect(peakMiB).toBeLessThan(100)
    expect(pages).toBeGreaterThan(10)
    expect(asked.length).toBeLessThanOrEqual(pages + 1)
    expect(asked).toEqual(asked.toSorted((a, b) => a - b))
  },
)

it('[CL5] a device sends everything again to a server that lost it all, in bounded memory', async () => {
  await server.stop()
  for (const suffix of ['', '-wal', '-shm'])
    await rm(spaceFile(server.dataDir, spaceId) + suffix, { force: true })
  await server.start()
  await using wire = await watchWire(server.url)
  await using device = createCatchUpDevice(server.url, anna, {
    storage: writer.storage,
    socketUrl: wire.link.url,
  })
  const client = await device.start()
  const memory = await watchMemory(server.pid ?? 0)
  const begun = performance.now()
  await settled(await client.openSpace(spaceId))
  const peakMiB = await memory.peakMiB()
  report('sent', begun, { peakMiB, ...wire.largestMessage })
  expect(contentsOfServer()).toEqual(contents)
  await expectSameTrees(device)
  expect(wire.tooLarge).toEqual([])
  // A replica would take twice as much for half a million operations.
  expect(peakMiB).toBeLessThan(200)
})

it(`[AP4] the server keeps a bounded backlog for each of ${sleeperCount} devices that do not read, and tells them later`, async () => {
  const busy = spaceIdSchema.parse(randomHexId())
  const token = await fleet.token()
  await fetch(new URL('/api/spaces', server.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ id: busy, name: 'Busy' }),
  })
  const bulk = createChatHistory(busy, { count: 10_000, large: 50, seed })
  const batches = Array.from(packBatches(busy, [...bulk.trees.values()].flat()), ({ bytes }) => bytes)
  await using link = await createNetworkLink(server.url)
  const sleepers = await Promise.all(Array.from({ length: sleeperCount }, () => connectRaw(link.url, token)))
  using pusher = await connectRaw(server.url, token)
  for (const socket of [...sleepers, pusher]) {
    await socket.request('space:join', { spaceId: busy })
    await socket.request('space:join', { spaceId })
  }
  const memory = await watchMemory(server.pid ?? 0)
  link.deafen()
  const answers = { pages: 0, refused: 0 }
  // More than the buffers of the system and the server for a socket, first in pages and then in appends.
  for (const { io } of sleepers) {
    for (let page = 0; page < (isLong ? 100 : 60); page++)
      io.emit('ops:pull', { spaceId, after: page * 200 }, (ack: unknown) => {
        if (outcomeOf(ack) === 'ok') answers.pages++
        else answers.refused++
      })
  }
  for (const batch of batches) {
    const ack: unknown = await pusher.io.timeout(60_000).emitWithAck('ops:push', { spaceId: busy, batch })
    expect(outcomeOf(ack)).toBe('ok')
  }
  // Answered after the pages that the sleepers asked for, since a space is read in the order of the requests.
  await pusher.request('ops:pull', { spaceId, after: 0 })
  const peakMiB = await memory.peakMiB()
  link.restore()
  const heads = await Promise.all(
    sleepers.map(async (socket) => {
      for (;;) {
        const { after, cursor } = await socket.next('ops:appended')
        if (cursor === bulk.count) return { after, cursor }
      }
    }),
  )
  console.log('not read', {
    sleepers: sleepers.length,
    peakMiB,
    ...answers,
    pushed: batches.reduce((sum, { length }) => sum + length, 0),
  })
  expect(heads).toEqual(sleepers.map(() => ({ after: bulk.count, cursor: bulk.count })))
  for (const socket of sleepers) socket[Symbol.dispose]()
  expect(answers.refused).toBeGreaterThan(0)
  expect(peakMiB).toBeLessThan(sleeperCount * 5 + 200)
})
