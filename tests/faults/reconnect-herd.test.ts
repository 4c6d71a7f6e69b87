import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, it } from 'vitest'

import { startServer, type ServerProcess } from '../lib/server-process.ts'
import type { Person } from './reconnect-clients.ts'
import { gather, histogram, percentile, settleIn, socketsOf, watchHealth } from './reconnect-crowd.ts'

/** Set FAULT_SOCKETS=2000 for the whole office. */
const isLong = process.env['FAULT_SOCKETS'] !== undefined
const count = Number(process.env['FAULT_SOCKETS'] ?? 200)
const perSpace = 20
const deadlineMs = isLong ? 150_000 : 60_000
const metricsToken = 'for-the-figures-of-this-test-only-0'

let dataDir: string
let people: Person[]
/** The vertices in every space: each of its people adds one with each edit. */
let vertices = 0

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 't69-herd-'))
  people = await settleIn(dataDir, count, perSpace)
})
afterAll(() => rm(dataDir, { recursive: true, force: true }))

/** All clients lose the server at once, continue to write, and find it again. */
async function loseAndReturn(how: string, lose: (server: ServerProcess) => Promise<unknown>) {
  await using server = await startServer({
    dataDir,
    env: {
      LOG_LEVEL: 'warn',
      METRICS_TOKEN: metricsToken,
      // They share one address, whose limit of requests is below their number: 1,200 for 2,000.
      REQUEST_LIMIT_PER_ADDRESS: String(Math.ceil(count * 0.6)),
    },
  })
  await using crowd = await gather(server.url, people, 2)
  const settled = (): Promise<void> => crowd.settle({ vertices, others: perSpace - 1, deadlineMs })
  await settled()
  await crowd.edit(`before ${how}`)
  vertices += perSpace
  await settled()
  await crowd.report()

  const begun = Date.now()
  await lose(server)
  await crowd.edit(`without a server, ${how}`)
  vertices += perSpace
  const health = watchHealth(server.url)
  await server.start()
  const upAfterMs = Date.now() - begun
  await settled()
  const backAfterMs = Date.now() - begun
  const latencies = await health.stop()
  const report = await crowd.report()

  const attempts = histogram(report.attempts, begun)
  const busiest = Math.max(...attempts)
  const healthMs = [0.5, 0.99, 1].map((share) => Math.round(percentile(latencies, share)))
  console.log(
    { how, clients: count, upAfterMs, backAfterMs, attempts: report.attempts.length, busiest },
    { admittedInBusiest: Math.max(...histogram(report.opened, begun)), refreshes: report.refreshes },
    { healthMs, attemptsIn100Ms: attempts.join(' ') },
  )

  // All lost the server at once and return spread over a second: about a tenth of them in each tenth. The last tenth also
  // has those with a delay below the least, a tenth of a second. More than that is chance.
  expect(report.firstWaits).toHaveLength(count)
  expect(Math.max(...histogram(report.firstWaits, 0))).toBeLessThan(count * 0.4)
  // The server answers others in the meantime.
  expect(latencies.length).toBeGreaterThan(0)
  const { opened, seeDouble, signedOut, digests } = report
  return {
    admissions: opened.length,
    sockets: await socketsOf(server.url, metricsToken),
    seeDouble,
    signedOut,
    spacesThatDiffer: Object.values(digests).filter((of) => new Set(of).size !== 1).length,
  }
}

/** Checks that each client was admitted once, has one connection, and shows the same as the others. */
const once = { admissions: count, sockets: count, seeDouble: 0, signedOut: 0, spacesThatDiffer: 0 }

it(`${count} clients of a server that stops come back spread out, once each, with every edit`, async () => {
  const outcome = await loseAndReturn('a goodbye', async (server) => expect(await server.stop()).toBe(0))
  expect(outcome).toEqual(once)
})

it.runIf(isLong)(
  `${count} clients of a killed server come back spread out, once each, with every edit`,
  async () => {
    expect(await loseAndReturn('a kill', (server) => server.kill())).toEqual(once)
  },
)

it(`${count} clients behind one address, whose server was killed and whose tokens are void, renew them and come back`, async () => {
  const outcome = await loseAndReturn('a kill that voids tokens', async (server) => {
    await server.kill()
    // Another secret signs tokens now, as if all had expired. The sessions are in the database, and last.
    await rm(join(dataDir, 'signing-secret'))
  })
  expect(outcome).toEqual(once)
})
