import { mkdtempSync, rmSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import { parseConfig } from '../config.ts'
import { createServer } from '../server.ts'
import type { OwnRoutes } from './route.ts'

/** More than the system buffers for a connection that is not read. */
const large = 'x'.repeat(16 * 1024 * 1024)

async function serve(routes: OwnRoutes) {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-answers-'))
  const config = parseConfig({ DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'silent', STORAGE_THREADS: '1' })
  const server = await createServer(config, { routes })
  await server.listen()
  return {
    ask: (path: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        // Without a listener, the response is not read.
        get(`http://127.0.0.1:${server.port}${path}`, { agent: false }, resolve).once('error', reject)
      }),
    [Symbol.asyncDispose]: async () => {
      await server.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

it('[LI12] whoever reads none of the lists that they ask for is refused until they do, and may look after the health', async () => {
  await using server = await serve((app) => {
    app.get('/api/large', async () => large)
  })
  const unread = await server.ask('/api/large')
  expect(unread.statusCode).toBe(200)
  const refused = await server.ask('/api/large')
  expect(refused.statusCode).toBe(429)
  expect(JSON.parse(Buffer.concat(await refused.toArray()).toString())).toMatchObject({
    error: { code: 'rate_limited', retryAfterMs: 1_000 },
  })
  expect((await server.ask('/health')).statusCode).toBe(200)
  unread.resume()
  await expect.poll(async () => (await server.ask('/api/large')).statusCode).toBe(200)
})

it('[LI12] many requests at one moment are answered a few at a time, so that they do not get past the bound', async () => {
  let underWay = 0
  let most = 0
  const go = Promise.withResolvers<void>()
  await using server = await serve((app) => {
    app.get('/api/large', async () => {
      most = Math.max(most, ++underWay)
      await go.promise
      underWay--
      return large
    })
  })
  const asked = Array.from({ length: 30 }, () => server.ask('/api/large'))
  await expect.poll(() => most).toBe(8)
  go.resolve()
  const statuses = (await Promise.all(asked)).map(({ statusCode }) => statusCode)
  expect(statuses.filter((status) => status === 200)).toHaveLength(8)
  expect(statuses.filter((status) => status === 429)).toHaveLength(22)
  expect(most).toBe(8)
})
