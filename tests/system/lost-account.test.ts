import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createServer, parseConfig, type Server } from '@t69/server'
import {
  createSyncClient,
  memoryStorage,
  type ClientStorage,
  type Space,
  type SyncClient,
} from '@t69/sync-client'
import { afterEach, beforeEach, expect, it } from 'vitest'

import { freePort } from '../lib/server-process.ts'

/** A server that has lost everything, its signing secret included: real clients, over real sockets. */

const password = 'correct horse battery'
const anna = { name: 'Anna', email: 'anna@example.org', password }
const eve = { name: 'Eve', email: 'eve@example.org', password }

let folder: string
let port: string
let server: Server
const clients: SyncClient[] = []

/** Starts a server with the data in `name`, always at the same address. */
async function startServer(name: string): Promise<void> {
  const config = parseConfig({
    PORT: port,
    DATA_DIR: join(folder, name),
    LOG_LEVEL: 'silent',
    REGISTRATION: 'open',
  })
  server = await createServer(config, { passwordCost: { memoryCost: 8, timeCost: 1, parallelism: 1 } })
  await server.listen()
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 't69-lost-'))
  port = String(await freePort())
  await startServer('before')
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

function open(storage: ClientStorage = memoryStorage()): SyncClient {
  const client = createSyncClient({ url: server.url, storage })
  clients.push(client)
  return client
}

const namesIn = (space: Space) => (space.root.root?.children ?? []).map(({ name }) => name)

/** A device with a space of Anna's, partly synced, on a server that then loses everything. */
async function lostServer() {
  const storage = memoryStorage()
  const device = open(storage)
  const before = await device.signUp(anna)
  const space = await device.createSpace({ name: 'Diary' })
  space.root.root?.newNamedChild('on the server')
  await space.flushed()
  const { id } = space
  await server.close()
  space.root.root?.newNamedChild('not sent')
  await space.stored()
  await startServer('after')
  const ended = Promise.withResolvers<void>()
  const stop = device.onUser((user) => void (user === null && ended.resolve()))
  if (device.user === null) ended.resolve()
  await device.listSpaces()
  await ended.promise
  stop()
  return { storage, device, before, id }
}

it('[SI11] whoever signs up again with the address of a lost account can take over its spaces on the device', async () => {
  const { device, before, id } = await lostServer()
  const after = await device.signUp({ ...anna, name: 'Anna again' })
  expect(after.id).not.toBe(before.id)
  // Asked first: until then, nothing is shown or sent.
  await expect(device.openSpace(id)).rejects.toMatchObject({ code: 'forbidden' })
  expect(await device.lostAccounts()).toEqual([
    { user: { id: before.id, email: anna.email, name: 'Anna' }, spaces: [{ id, name: 'Diary' }] },
  ])

  await device.takeOver(before.id)
  const space = await device.openSpace(id)
  await space.loaded()
  expect(namesIn(space)).toEqual(['on the server', 'not sent'])
  await space.flushed()
  expect(await device.lostAccounts()).toEqual([])

  const other = open()
  await other.signIn(anna)
  expect((await other.listSpaces()).map(({ name, role }) => [name, role])).toEqual([['Diary', 'owner']])
  const there = await other.openSpace(id)
  await there.loaded()
  expect(namesIn(there)).toEqual(['on the server', 'not sent'])
})

it('[SI11] nobody with another address is offered the spaces of a lost account, or gets them', async () => {
  const { device, before, id } = await lostServer()
  await device.signUp(eve)
  expect(await device.lostAccounts()).toEqual([])
  await expect(device.takeOver(before.id)).rejects.toMatchObject({ code: 'forbidden' })
  await expect(device.openSpace(id)).rejects.toMatchObject({ code: 'forbidden' })
  await device.signOut()
  expect(await device.lostAccounts()).toEqual([])
  await expect(device.takeOver(before.id)).rejects.toMatchObject({ code: 'unauthenticated' })
})

it('[SI11] the spaces of an account that was deleted elsewhere go to nobody who signs up with its address', async () => {
  const shared = open()
  const before = await shared.signUp(anna)
  const { id, ...space } = await shared.createSpace({ name: 'Diary' })
  await space.flushed()
  await shared.signOut()
  const home = open()
  await home.signIn(anna)
  await home.deleteAccount({ password })

  await shared.signUp({ ...anna, name: 'Not Anna' })
  expect(await shared.lostAccounts()).toEqual([])
  await expect(shared.takeOver(before.id)).rejects.toMatchObject({ code: 'forbidden' })
  await expect(shared.openSpace(id)).rejects.toMatchObject({ code: 'forbidden' })
})

it('[SI11] the spaces of a lost account go to nobody once another account with its address was deleted', async () => {
  const { storage, device: shared, before, id } = await lostServer()
  const home = open()
  await home.signUp(anna)
  await home.deleteAccount({ password })

  // Whoever signs up with the address now need not be Anna.
  await shared.signUp({ ...anna, name: 'Not Anna' })
  expect(await shared.lostAccounts()).toEqual([])
  await expect(shared.takeOver(before.id)).rejects.toMatchObject({ code: 'forbidden' })
  await expect(shared.openSpace(id)).rejects.toMatchObject({ code: 'forbidden' })

  // The device knows it from then on, whatever becomes of the server and its notes.
  await server.close()
  await startServer('once more')
  const later = open(storage)
  await later.signUp({ ...anna, name: 'Not Anna either' })
  expect(await later.lostAccounts()).toEqual([])
})

it('what was interrupted is taken over by the next call', async () => {
  const { storage, device, before, id } = await lostServer()
  await device.signUp(anna)
  const putSpace = storage.putSpace.bind(storage)
  Object.assign(storage, { putSpace: () => Promise.reject(new Error('the disk fails')) })
  await expect(device.takeOver(before.id)).rejects.toThrow('the disk fails')
  Object.assign(storage, { putSpace })
  expect(await device.lostAccounts()).toHaveLength(1)
  await device.takeOver(before.id)
  const space = await device.openSpace(id)
  await space.flushed()
  expect(namesIn(space)).toEqual(['on the server', 'not sent'])
})
