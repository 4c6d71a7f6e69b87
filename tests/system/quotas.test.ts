import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createServer, parseConfig, type Server } from '@t69/server'
import {
  createSyncClient,
  memoryStorage,
  restoreDeletion,
  type Space,
  type SpaceStatus,
  type SyncClient,
} from '@t69/sync-client'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { freePort } from '../lib/server-process.ts'

const deadlineMs = 60_000
const password = 'correct horse battery'

let dataDir: string
let server: Server
const clients: SyncClient[] = []

async function startServer(port: number, env: Readonly<Record<string, string>>): Promise<Server> {
  const config = parseConfig({
    REGISTRATION: 'open',
    PORT: String(port),
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
    ...env,
  })
  const started = await createServer(config, { passwordCost: { memoryCost: 8, timeCost: 1, parallelism: 1 } })
  await started.listen()
  return started
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 't69-quotas-'))
})

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await server.close()
  await rm(dataDir, { recursive: true, force: true })
})

function device(): SyncClient {
  const client = createSyncClient({ url: server.url, storage: memoryStorage() })
  clients.push(client)
  return client
}

async function until(space: Space, holds: (status: SpaceStatus) => boolean): Promise<void> {
  if (holds(space.status)) return
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const unsubscribe = space.onStatus((status) => {
    if (holds(status)) resolve()
  })
  const late = () => reject(new Error(`stuck: ${JSON.stringify(space.status)}`))
  const deadline = setTimeout(late, deadlineMs)
  await promise.finally(() => {
    unsubscribe()
    clearTimeout(deadline)
  })
}

const sent = (space: Space) => until(space, ({ phase, pending }) => phase === 'live' && pending === 0)

test('[QU1] [CL7] in a full space deletes are accepted, and other edits are set aside until there is room', async () => {
  server = await startServer(await freePort(), { SPACE_QUOTA_OPERATIONS: '40' })
  const [laptop, phone] = [device(), device()]
  await laptop.signUp({ email: 'anna@example.org', password, name: 'Anna' })
  const space = await laptop.createSpace({ name: 'Small' })
  const tree = await space.createTree()
  await sent(space)
  const early = tree.root?.newNamedChild('early')
  await sent(space)
  expect(space.status.rejected).toBe(0)

  for (let n = 0; n < 30; n++) tree.root?.newNamedChild(`note ${n}`)
  await sent(space)
  const { rejected } = space.status
  expect(rejected).toBeGreaterThan(10)
  expect((await space.rejectedEdits())[0]).toMatchObject({ code: 'quota_exceeded' })
  expect(space.status.head).toBe(40)

  // A delete after all the refused edits, and one of a vertex that the server never got.
  early?.delete()
  tree.root?.children.at(-1)?.delete()
  await sent(space)
  expect(space.status).toMatchObject({ head: 42, rejected })
  await phone.signIn({ email: 'anna@example.org', password })
  const there = await phone.openSpace(space.id)
  await until(there, ({ phase, cursor }) => phase === 'live' && cursor === 42)
  const shown = await there.openTree(space.treeIdOf(tree))
  expect(shown.root?.children.map(({ name }) => name)).not.toContain('early')

  const { port } = server
  await server.close()
  server = await startServer(port, { SPACE_QUOTA_OPERATIONS: '400' })
  await space.retryRejected()
  await sent(space)
  expect(space.status.rejected).toBe(0)
  await until(there, ({ phase, cursor }) => phase === 'live' && cursor === space.status.cursor)
  expect(shown.digest()).toBe(tree.digest())
  expect(shown.root?.children).toHaveLength(29)
})

test('[QU2] in a full space every accepted delete can be undone, even the last one', async () => {
  server = await startServer(0, { SPACE_QUOTA_OPERATIONS: '40' })
  const [laptop, phone] = [device(), device()]
  await laptop.signUp({ email: 'anna@example.org', password, name: 'Anna' })
  const space = await laptop.createSpace({ name: 'Small' })
  const tree = await space.createTree()
  await sent(space)
  while (space.status.head < 40) {
    tree.root?.newChild({})
    await sent(space)
  }
  expect(space.status.rejected).toBe(0)
  await phone.signIn({ email: 'anna@example.org', password })
  const there = await phone.openSpace(space.id)
  const shown = await there.openTree(space.treeIdOf(tree))
  const before = tree.root?.children.length ?? 0
  expect(before).toBeGreaterThan(10)

  // Everything at once, and again until deletes are refused.
  while (space.status.head < 80) {
    const deleted = tree.root?.children.slice(0, 80 - space.status.head) ?? []
    for (const { id } of deleted) tree.deleteVertex(id)
    const roots = tree.getDeletedVertices()
    await sent(space)
    restoreDeletion(tree, { roots })
    await sent(space)
  }
  expect(space.status).toMatchObject({ rejected: 0 })
  await until(there, ({ phase, cursor }) => phase === 'live' && cursor === space.status.cursor)
  expect(shown.root?.children).toHaveLength(before)
  expect(shown.digest()).toBe(tree.digest())
})

test('[QU2] deletes cannot grow a space without limit', async () => {
  server = await startServer(0, { SPACE_QUOTA_OPERATIONS: '20' })
  const laptop = device()
  await laptop.signUp({ email: 'anna@example.org', password, name: 'Anna' })
  const space = await laptop.createSpace({ name: 'Small' })
  const tree = await space.createTree()
  for (let n = 0; n < 30; n++) {
    tree.root?.setProperty('on', n)
    tree.root?.setProperty('on', undefined)
  }
  await sent(space)
  expect(space.status.head).toBeGreaterThan(20)
  for (let n = 0; n < 30; n++) {
    tree.root?.setProperty('on', n)
    tree.root?.setProperty('on', undefined)
  }
  await sent(space)
  expect(space.status.head).toBe(40)
})

test('[QU4] a space above the limit of spaces stays on the device with a reason, and syncs once there is room', async () => {
  server = await startServer(await freePort(), { USER_QUOTA_SPACES: '1' })
  const laptop = device()
  await laptop.signUp({ email: 'anna@example.org', password, name: 'Anna' })
  await sent(await laptop.createSpace({ name: 'First' }))
  const second = await laptop.createSpace({ name: 'Second' })
  const tree = await second.createTree()
  await until(second, ({ error }) => error?.code === 'quota_exceeded')
  expect(second.status.phase).toBe('connecting')
  tree.root?.newNamedChild('kept')
  const { port } = server
  await server.close()
  server = await startServer(port, { USER_QUOTA_SPACES: '2' })
  await sent(second)
  expect(second.status.head).toBeGreaterThan(0)
})
