import { createSyncClient, memoryStorage, type Space, type SyncClient } from '@t69/sync-client'
import { afterEach, expect, it } from 'vitest'

import { startLiveServer } from '../lib/live-server.ts'
import { createNetworkLink } from '../lib/network-link.ts'

/**
 * A connection that is given up before a full page has arrived, as happens below some 9 kB/s with pings of 45 s. Here
 * everything is faster by the same factor: pings of a second, 120 kB/s.
 */
const pings = { PING_INTERVAL: '500ms', PING_TIMEOUT: '500ms' }
const bytesPerSecond = 120_000

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const credentials = { email: 'anna@example.org', password: 'correct horse battery' }

async function signedIn(url: string): Promise<SyncClient> {
  const client = createSyncClient({ url, storage: memoryStorage(), session: 'storage' })
  closing.push(() => client.close())
  await client.signIn(credentials)
  return client
}

const texts = ({ root }: Space): unknown[] => root.root!.children.map((child) => child.getProperty('text'))

it('[CL11] a device whose link is too slow for a full page still catches up and sends its edits', async () => {
  const server = await startLiveServer(pings)
  closing.push(async () => server[Symbol.asyncDispose]())
  await server.signUp('Anna')
  const link = await createNetworkLink(server.url, { bytesPerSecond })
  closing.push(async () => link[Symbol.asyncDispose]())

  const near = await signedIn(server.url)
  const { id } = await near.createSpace({ name: 'Ours' })
  const here = await near.openSpace(id)
  const write = ({ root }: Space): void => {
    for (let edit = 0; edit < 120; edit++) root.root!.newNamedChild('text', { text: 'x'.repeat(3_000) })
  }
  write(here)
  await here.flushed()

  const far = await signedIn(link.url)
  const there = await far.openSpace(id)
  const reaches = (cursor: number) =>
    expect.poll(() => there.status.cursor, { timeout: 60_000, interval: 50 }).toBe(cursor)
  await reaches(here.status.head)
  expect(texts(there)).toEqual(texts(here))

  // A single write to the storage, and so an outbox entry that would not get through as a whole.
  write(there)
  await there.stored()
  await there.flushed()
  await expect.poll(() => texts(here).length).toBe(240)
  expect(here.root.digest()).toBe(there.root.digest())
})
