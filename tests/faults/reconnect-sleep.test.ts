import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  createSocketIoTransport,
  createSyncClient,
  memoryStorage,
  type Runtime,
  type Space,
  type SyncClient,
} from '@t69/sync-client'
import { describe, expect, it } from 'vitest'

import { password, startLiveServer, type LiveServer } from '../lib/live-server.ts'
import { createNetworkLink } from '../lib/network-link.ts'
import { startServer } from '../lib/server-process.ts'
import { agreed, live, until } from './fleet.ts'
import { gather, settleIn, socketsOf } from './reconnect-crowd.ts'

const dayMs = 86_400_000
const metricsToken = 'for-the-figures-of-this-test-only-0'

interface Device {
  readonly client: SyncClient
  /** Advances the device's clock, while its timers stand still. */
  readonly sleep: (ms: number) => void
  /** Whether the transport has reported by itself that a connection is over. */
  readonly wasTold: boolean
}

function device(url: string): Device {
  let sleptMs = 0
  let wasTold = false
  const runtime: Runtime = {
    now: () => Date.now() + sleptMs,
    // Short pauses, because their length is not tested here.
    random: () => Math.random() / 10,
    setTimer: (callback, delayMs) => {
      const timer = setTimeout(callback, delayMs)
      return () => clearTimeout(timer)
    },
  }
  const inner = createSocketIoTransport(url, { now: () => runtime.now() })
  const transport: typeof inner = {
    connect: (handshake, listener) =>
      inner.connect(handshake, {
        ...listener,
        closed(error) {
          wasTold = true
          listener.closed(error)
        },
      }),
  }
  return {
    client: createSyncClient({ url, storage: memoryStorage(), runtime, transport }),
    sleep: (ms) => void (sleptMs += ms),
    get wasTold() {
      return wasTold
    },
  }
}

/** A laptop with unsent edits that sleeps for a given time, and another device that is awake. */
async function wokenAfter(
  server: LiveServer,
  sleepMs: number,
  check: (woken: { laptop: SyncClient; here: Space; there: Space; email: string }) => Promise<Space>,
): Promise<void> {
  await using link = await createNetworkLink(server.url)
  const { user } = await server.signUp('Anna')
  const { email } = user
  const { client, sleep } = device(link.url)
  await using laptop = client
  await laptop.signIn({ email, password })
  const here = await laptop.createSpace({ name: 'Notes' })
  await here.flushed()

  here.root.root!.newNamedChild('just before the lid was closed')
  link.cut()
  await until(here, ({ phase }) => phase === 'offline')
  here.root.root!.newNamedChild('on the train')
  await here.stored()
  expect(here.status.pending).toBeGreaterThan(0)
  await server.atOffset(sleepMs, async () => {
    sleep(sleepMs)
    await using phone = device(server.url).client
    await phone.signIn({ email, password })
    const there = await phone.openSpace(here.id)
    await live(there)
    there.root.root!.newNamedChild('meanwhile')
    await there.flushed()
    link.restore()
    await agreed([await check({ laptop, here, there, email }), there])
    const names = (there.root.root?.children ?? []).map(({ name }) => name)
    for (const name of ['just before the lid was closed', 'on the train', 'meanwhile']) {
      expect(names.filter((other) => other === name)).toHaveLength(1)
    }
  })
}

describe('after sleep', () => {
  it('a laptop that slept for a week sends its edits and reads what it missed, without a password', async () => {
    await using server = await startLiveServer()
    await wokenAfter(server, 7 * dayMs, async ({ laptop, here }) => {
      const users: unknown[] = []
      laptop.onUser((user) => users.push(user))
      await here.flushed()
      expect(users).toEqual([])
      expect(laptop.user).not.toBeNull()
      return here
    })
  })

  it('a laptop that slept longer than its session keeps its edits, and sends them after the next sign-in', async () => {
    await using server = await startLiveServer()
    await wokenAfter(server, 31 * dayMs, async ({ laptop, here, email }) => {
      await until(here, ({ phase }) => phase === 'signed-out')
      expect([laptop.user, laptop.sessionEnded]).toEqual([null, true])
      await laptop.signIn({ email, password })
      const back = await laptop.openSpace(here.id)
      expect(back.root.getVertexByPath('on the train')).toBeDefined()
      expect(back.status.pending).toBeGreaterThan(0)
      await back.flushed()
      return back
    })
  })

  it('a laptop notices by its clock that the connection is dead, before timers that stood still would fire', async () => {
    await using server = await startLiveServer({ PING_INTERVAL: '4s', PING_TIMEOUT: '4s' })
    await using link = await createNetworkLink(server.url)
    const { user } = await server.signUp('Anna')
    const sleeper = device(link.url)
    await using laptop = sleeper.client
    await laptop.signIn({ email: user.email, password })
    const here = await laptop.createSpace({ name: 'Notes' })
    await here.flushed()

    link.strand()
    // Shorter than its token lasts: a renewal over HTTP may wait on a dead connection for its deadline of 20 s.
    sleeper.sleep(10 * 60_000)
    here.root.root!.newNamedChild('right after waking')
    await until(here, ({ phase }) => phase === 'offline')
    // The pings would have reported it a few seconds later.
    expect(sleeper.wasTold).toBe(false)
    await here.flushed()
    expect(laptop.user).not.toBeNull()
  })

  it('a process stopped for longer than its token lasts loses nothing, and is shown once', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 't69-sleep-'))
    try {
      const short = { ACCESS_TOKEN_TTL: '2s', PING_INTERVAL: '500ms', PING_TIMEOUT: '500ms' }
      // Long enough for a busy machine to use them.
      const people = await settleIn(dataDir, 4, 4, { ACCESS_TOKEN_TTL: '10s' })
      const env = { ...short, LOG_LEVEL: 'warn', METRICS_TOKEN: metricsToken }
      await using server = await startServer({ dataDir, env })
      await using sleepers = await gather(server.url, people.slice(0, 2), 1)
      await using awake = await gather(server.url, people.slice(2), 1)
      const settled = async (vertices: number): Promise<void> => {
        await Promise.all(
          [sleepers, awake].map((it) => it.settle({ vertices, others: 3, deadlineMs: 20_000 })),
        )
      }
      await settled(0)

      await sleepers.edit('the last word')
      await sleepers.report()
      sleepers.freeze()
      // Wait until the server has closed their connections.
      await expect.poll(() => socketsOf(server.url, metricsToken)).toBe(2)
      await awake.edit('meanwhile')
      // A renewal comes after three quarters of a token's life, so two renewals take longer than a token lasts.
      let renewals = 0
      const renewed = async () => (renewals += (await awake.report()).refreshes['200'] ?? 0)
      await expect.poll(renewed).toBeGreaterThanOrEqual(2 * people.length)
      sleepers.thaw()
      await settled(4)
      await expect.poll(() => socketsOf(server.url, metricsToken)).toBe(4)
      const slept = await sleepers.report()
      expect(slept.refreshes['200']).toBeGreaterThan(0)
      for (const report of [slept, await awake.report()]) {
        expect(report).toMatchObject({ signedOut: 0, seeDouble: 0 })
      }
    } finally {
      await rm(dataDir, { recursive: true, force: true })
    }
  })
})
