import { createSyncClient, memoryStorage, type Space, type SyncClient } from '@t69/sync-client'
import { expect, it, vi } from 'vitest'

import { password, startLiveServer } from '../lib/live-server.ts'
import { createNetworkLink } from '../lib/network-link.ts'
import { live, until } from './fleet.ts'
import { socketsOf } from './reconnect-crowd.ts'

const pings = { PING_INTERVAL: '500ms', PING_TIMEOUT: '500ms' }
// With the default pings, the test would take 45 s.
vi.setConfig({ testTimeout: 30_000 })

const metricsToken = 'for-the-figures-of-this-test-only-0'

/** Resolves once the given number of others is in the space. */
async function othersIn(space: Space, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = space.onPresence((present) => void (present.length === count && resolve()))
  if (space.presence.length === count) resolve()
  await promise.finally(stop)
}

it('both ends notice a silently dead connection within the time of the pings, and the client replaces it', async () => {
  await using server = await startLiveServer({ ...pings, METRICS_TOKEN: metricsToken })
  await using link = await createNetworkLink(server.url)
  const anna = await server.signUp('Anna')
  const open = async (url: string): Promise<SyncClient> => {
    const client = createSyncClient({ url, storage: memoryStorage() })
    await client.signIn({ email: anna.user.email, password })
    return client
  }
  await using laptop = await open(server.url)
  await using phone = await open(link.url)
  const here = await laptop.createSpace({ name: 'Notes' })
  await here.flushed()
  const there = await phone.openSpace(here.id)
  await live(there)
  there.setPresence({ on: 'the phone' })
  await othersIn(here, 1)

  link.strand()
  const begun = performance.now()
  there.root.root!.newNamedChild('said into the void')
  const noticed = { byServerMs: 0, byClientMs: 0 }
  await Promise.all([
    othersIn(here, 0).then(() => (noticed.byServerMs = Math.round(performance.now() - begun))),
    until(there, ({ phase }) => phase === 'offline').then(
      () => (noticed.byClientMs = Math.round(performance.now() - begun)),
    ),
  ])
  console.log(noticed)

  // Nothing wakes it and the link is not restored: the client opens another connection.
  await there.flushed()
  await othersIn(here, 1)
  await until(here, ({ cursor }) => cursor >= there.status.cursor)
  expect(here.root.digest()).toBe(there.root.digest())
  expect(here.root.getVertexByPath('said into the void')).toBeDefined()
  await expect.poll(() => socketsOf(server.url, metricsToken)).toBe(2)
})
