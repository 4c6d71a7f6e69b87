import {
  createSyncClient,
  createTabGroup,
  memoryStorage,
  type Runtime,
  type Space,
  type SyncClient,
  type Tabs,
} from '@t69/sync-client'
import { expect, it } from 'vitest'

import { startLiveServer } from '../lib/live-server.ts'

/** A tab that gets and sends no messages while it is deaf but keeps running, and then gets all of them. */
function deafable(tab: Tabs): Tabs & { deafen(): void; listen(): void } {
  let held: (() => void)[] | null = null
  const later = (task: () => void): void => void (held === null ? task() : held.push(task))
  return {
    ...tab,
    // The spread copies only its present value.
    get alone() {
      return tab.alone
    },
    lead: (onLead, onLost) => tab.lead(onLead, () => later(onLost)),
    post: (message) => later(() => tab.post(message)),
    onMessage: (listener) => tab.onMessage((message) => later(() => listener(message))),
    deafen: () => void (held = []),
    listen() {
      const missed = held ?? []
      held = null
      for (const task of missed) task()
    },
  }
}

/** Shortens waits to a twentieth. */
const hurried: Runtime = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs / 20)
    return () => clearTimeout(timer)
  },
}

it('two tabs that both believe they lead neither lose nor double an edit, and in the end one leads', async () => {
  await using server = await startLiveServer()
  const anna = { email: 'anna@example.org', password: 'correct horse battery', name: 'Anna' }
  const clients: SyncClient[] = []
  const device = (options: { storage: ReturnType<typeof memoryStorage>; tabs?: Tabs }): SyncClient => {
    const client = createSyncClient({ url: server.url, runtime: hurried, ...options })
    clients.push(client)
    return client
  }
  const storage = memoryStorage()
  const group = createTabGroup()
  const deaf = deafable(group.tab())
  const first = device({ storage, tabs: deaf })
  await first.signUp(anna)
  const here = await first.createSpace({ name: 'Notes' })
  await here.flushed()
  const { promise: tookOver, resolve: takeOver } = Promise.withResolvers<void>()
  const other = group.tab()
  const lead: Tabs['lead'] = (onLead, onLost) => {
    other.lead(() => {
      takeOver()
      onLead()
    }, onLost)
  }
  const tabs: Tabs = {
    ...other,
    get alone() {
      return other.alone
    },
    lead,
  }
  const there = await device({ storage, tabs }).openSpace(here.id)
  const phone = device({ storage: memoryStorage() })
  await phone.signIn(anna)
  const elsewhere = await phone.openSpace(here.id)
  await elsewhere.flushed()

  const spaces: Space[] = [here, there, elsewhere]
  const edit = (round: string) =>
    spaces.forEach((space, index) => space.root.root!.newNamedChild(`${round} ${index}`))
  deaf.deafen()
  for (let round = 0; round < 20; round++) {
    edit(`deaf ${round}`)
    await Promise.all(spaces.map((space) => space.stored()))
    if (round === 0) await tookOver
    if (round % 5 === 4) await there.flushed()
  }
  deaf.listen()
  edit('after')
  for (const space of spaces) await space.flushed()
  const digests = () => new Set(spaces.map((space) => space.root.digest()))
  await expect.poll(() => digests().size).toBe(1)
  expect(elsewhere.root.root!.children).toHaveLength(21 * 3)
  for (const space of spaces) {
    await expect.poll(() => space.status).toMatchObject({ phase: 'live', pending: 0 })
  }
  for (const client of clients) await client.close()
})
