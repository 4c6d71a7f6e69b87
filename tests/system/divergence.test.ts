import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { peerIdSchema, treeIdSchema, type TreeId } from '@t69/protocol'
import { createServer, parseConfig, type ServerOptions } from '@t69/server'
import {
  createSocketIoTransport,
  createSyncClient,
  memoryStorage,
  type Runtime,
  type Space,
} from '@t69/sync-client'
import { afterEach, beforeEach, expect, it } from 'vitest'

/** A replica, or a device's storage, is corrupted on purpose, with real sockets and the server's log and metrics. */

const metricsToken = 'a-token-for-the-operator-long-enough'
const closing: (() => Promise<unknown>)[] = []
const logged: Record<string, unknown>[] = []
let url: string

beforeEach(async () => {
  logged.length = 0
  const dataDir = await mkdtemp(join(tmpdir(), 't69-divergence-'))
  const config = parseConfig({
    REGISTRATION: 'open',
    PORT: '0',
    DATA_DIR: dataDir,
    METRICS_TOKEN: metricsToken,
  })
  const server = await createServer(config, {
    logger: listening,
    passwordCost: { memoryCost: 8, timeCost: 1, parallelism: 1 },
  })
  await server.listen()
  url = server.url
  closing.push(async () => {
    await server.close()
    await rm(dataDir, { recursive: true, force: true })
  })
})

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A logger that keeps warnings and errors. */
const listening = {
  level: 'warn',
  trace: () => {},
  debug: () => {},
  info: () => {},
  silent: () => {},
  warn: (details: object, msg: string) => void logged.push({ ...details, level: 'warn', msg }),
  error: (details: object, msg: string) => void logged.push({ ...details, level: 'error', msg }),
  fatal: (details: object, msg: string) => void logged.push({ ...details, level: 'fatal', msg }),
  child: () => listening,
} as unknown as NonNullable<ServerOptions['logger']>

const patient: Runtime = {
  now: () => Date.now(),
  random: () => 0.5,
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

/** Shortens the client's wait before it compares, which is half a minute and up to half as much again. */
const impatient: Runtime = {
  ...patient,
  setTimer: (callback, delayMs) => patient.setTimer(callback, delayMs === 37_500 ? 20 : delayMs),
}

async function createDevice(runtime: Runtime, storage = memoryStorage()) {
  const client = createSyncClient({
    url,
    storage,
    session: 'storage',
    transport: createSocketIoTransport(url),
    runtime,
  })
  closing.push(() => client.close())
  await client.ready
  return { client, storage }
}

async function figure(name: string): Promise<number> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${metricsToken}` } })
  const line = (await response.text()).split('\n').find((text) => text.startsWith(`${name} `))
  return Number(line?.split(' ')[1])
}

function replaced(space: Space, treeId: TreeId): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = space.onReplaced((id) => {
    if (id !== treeId) return
    stop()
    resolve()
  })
  return promise
}

/** The server's log lines about the divergence, once both ends have reported it. */
async function logOf(): Promise<Record<string, unknown>[]> {
  await expect.poll(() => logged.length).toBe(2)
  return logged
}

const credentials = { email: 'anna@example.org', password: 'correct horse battery' }

it('[DV3] [DV4] a replica that differs from the log is noticed, logged, counted and replaced', async () => {
  const { client } = await createDevice(impatient)
  const user = await client.signUp({ ...credentials, name: 'Anna' })
  const space = await client.createSpace({ name: 'Ours' })
  const page = space.root.newNamedVertex(space.root.root!.id, 'page', { text: 'as written' })
  await space.flushed()
  const before = space.root
  const healed = replaced(space, treeIdSchema.parse(space.id))
  const id = { peerId: peerIdSchema.parse('7'.repeat(30)), counter: 999 }
  before.merge([{ id, targetId: page.id, key: 'text', value: 'never written', transient: false }])
  await healed
  expect(Object.is(space.root, before)).toBe(false)
  expect(space.root.getVertex(page.id)?.getProperty('text')).toBe('as written')
  const [compared, found] = await logOf()
  const where = { spaceId: space.id, treeId: space.id, userId: user.id, cursor: space.status.cursor }
  expect(compared).toMatchObject({
    ...where,
    level: 'error',
    clientDigest: before.digest(),
    digest: space.root.digest(),
  })
  expect(found).toMatchObject({
    ...where,
    level: 'warn',
    source: 'replica',
    vertices: [page.id],
    differing: 1,
  })
  expect(await figure('t69_divergences_total')).toBe(1)
  // The new replica is edited, synced and compared like any other.
  const compares = await figure('t69_trees_compared_total')
  space.root.getVertex(page.id)?.setProperty('text', 'written after')
  await space.flushed()
  await expect.poll(() => figure('t69_divergences_total')).toBe(1)
  expect(compares).toBeGreaterThan(0)
})

it('[DV4] a device whose storage differs from the log reads the log again, and shows what everybody shows', async () => {
  const { client, storage } = await createDevice(patient)
  await client.signUp({ ...credentials, name: 'Anna' })
  const made = await client.createSpace({ name: 'Ours' })
  const page = made.root.newNamedVertex(made.root.root!.id, 'page', { text: 'as written' })
  await made.flushed()
  const { id } = made
  const digest = made.root.digest()
  await client.close()

  const state = await storage.getSyncState(id)
  const op = (await storage.readTree(id, treeIdSchema.parse(id))).find(({ value }) => value === 'as written')
  await storage.appendRemote(id, [Object.assign({}, op, { value: 'as the disk has it' })], state!)

  const again = await createDevice(impatient, storage)
  const space = await again.client.openSpace(id)
  expect(space.root.getVertex(page.id)?.getProperty('text')).toBe('as the disk has it')
  await replaced(space, treeIdSchema.parse(id))
  expect(space.root.digest()).toBe(digest)
  expect((await logOf())[1]).toMatchObject({ source: 'storage', vertices: [page.id], rebuilt: digest })
  expect(await figure('t69_divergences_total')).toBe(1)
  await expect.poll(() => space.status).toMatchObject({ phase: 'live', pending: 0 })
  // The storage is corrected too.
  await space.close()
  expect((await again.client.openSpace(id)).root.digest()).toBe(digest)
})
