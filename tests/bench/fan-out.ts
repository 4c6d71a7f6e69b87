import { createSyncClient, memoryStorage, type Space, type SyncClient } from '@t69/sync-client'

import { startServer } from '../lib/server-process.ts'
import { coreSeconds } from './core-seconds.ts'

/**
 * What the client costs: 4 writers make 8,000 edits in one space, and 8 readers show them. All twelve are in
 * this process, the built server is in another. Prints the CPU time of both for each round, in
 * seconds, and the medians:
 *
 *     pnpm build && node --conditions=source tests/bench/fan-out.ts [rounds]
 */

const writers = 4
const readers = 8
const edits = 8_000
/** Made by each writer in one turn of the event loop. */
const editsAtOnce = 1

const rounds = Number(process.argv[2] ?? 5)
const password = 'correct horse battery'

interface Measured {
  /** Of this process, in seconds. */
  readonly cpuS: number
  readonly serverCpuS: number
  readonly wallS: number
}

const measured: Measured[] = []
// The first round warms up: the compiler of the engine works in it.
for (let round = 0; round <= rounds; round++) {
  const result = await measure()
  if (round > 0) measured.push(result)
  console.log(`${round === 0 ? 'warm-up' : `round ${round}`}: ${shown(result)}`)
}
console.log(
  `median:  ${shown({ cpuS: median('cpuS'), serverCpuS: median('serverCpuS'), wallS: median('wallS') })}`,
)

async function measure(): Promise<Measured> {
  // One a round: a server bounds how often one address signs in.
  await using server = await startServer()
  const clients: SyncClient[] = []
  const spaces: Space[] = []
  const email = 'writer@example.org'
  for (let index = 0; index < writers + readers; index++) {
    const client = createSyncClient({ url: server.url, storage: memoryStorage() })
    clients.push(client)
    if (index === 0) {
      await client.signUp({ email, password, name: 'Writer' })
      const space = await client.createSpace({ name: 'Fan-out' })
      spaces.push(space)
      await space.flushed()
    } else {
      await client.signIn({ email, password })
      spaces.push(await client.openSpace(spaces[0]?.id ?? ''))
    }
  }
  await until(() => spaces.every((space) => space.status.phase === 'live'))

  const startedAt = performance.now()
  const before = process.cpuUsage()
  const serverBefore = await coreSeconds(server.pid)
  for (let made = 0; made < edits; made += writers * editsAtOnce) {
    for (const space of spaces.slice(0, writers)) {
      for (let count = 0; count < editsAtOnce; count++)
        space.root.root?.setProperty('text', `${made}.${count}`)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(spaces.slice(0, writers).map((space) => space.flushed()))
  const head = Math.max(...spaces.map((space) => space.status.head))
  if (head < edits) throw new Error(`the log has ${head} operations, not ${edits}`)
  await until(() => spaces.every((space) => space.status.cursor === head))
  const used = process.cpuUsage(before)
  const wallS = (performance.now() - startedAt) / 1000
  const serverCpuS = (await coreSeconds(server.pid)) - serverBefore

  const digests = new Set(spaces.map((space) => space.root.digest()))
  if (digests.size !== 1) throw new Error('the replicas differ')
  for (const client of clients) await client.close()
  return { cpuS: (used.user + used.system) / 1e6, serverCpuS, wallS }
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('it takes more than a minute')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function median(key: keyof Measured): number {
  const sorted = measured.map((one) => one[key]).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function shown({ cpuS, serverCpuS, wallS }: Measured): string {
  return `${cpuS.toFixed(2)} s of CPU, the server ${serverCpuS.toFixed(2)} s of CPU, ${wallS.toFixed(2)} s`
}
