import { execFileSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { limits, randomHexId, spaceListSchema } from '@t69/protocol'
import { createSyncClient, memoryStorage } from '@t69/sync-client'
import { expect, it } from 'vitest'

import { password, startLiveServer } from '../lib/live-server.ts'

it('[LI13] a client lists 3,000 spaces, and no answer of the server exceeds the limits', async () => {
  await using server = await startLiveServer()
  const answers: { status: number; spaces: number; bytes: number }[] = []
  const observed: typeof fetch = async (...request) => {
    const response = await fetch(...request)
    if (!response.url.includes('/api/spaces')) return response
    const body = await response.clone().text()
    const { spaces } = body === '' ? { spaces: [] } : spaceListSchema.parse(JSON.parse(body))
    answers.push({ status: response.status, spaces: spaces.length, bytes: Buffer.byteLength(body) })
    return response
  }
  await using client = createSyncClient({ url: server.url, storage: memoryStorage(), fetch: observed })
  const { id } = await client.signUp({ email: 'anna@example.org', password, name: 'Anna' })
  addSpaces(server.dataDir, id, 3_000)

  const listed = await client.listSpaces()
  expect(new Set(listed.map((space) => space.id)).size).toBe(3_000)
  expect(listed[2_999]?.name).toMatch(/^\d+ x{190}$/)
  const sent = answers.splice(0)
  expect(sent.length).toBeGreaterThanOrEqual(3)
  for (const { spaces, bytes } of sent) {
    expect(spaces).toBeLessThanOrEqual(limits.maxPageEntries)
    expect(bytes).toBeLessThanOrEqual(limits.maxMessageBytes)
  }

  expect(await client.listSpaces()).toEqual(listed)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([304]))
})

it('a server that gives thousands of logs a new list of members ends without opening them all', async () => {
  await using server = await startLiveServer()
  const { user } = await server.signUp('Anna')
  addSpaces(server.dataDir, user.id, 3_000)
  const logs = async (): Promise<number> =>
    (await readdir(server.dataDir, { recursive: true })).filter((name) => name.endsWith('.db')).length
  await expect.poll(logs, { interval: 10 }).toBeGreaterThan(0)
  await server.server.close()
  expect(await logs()).toBeLessThan(3_000)
})

it('whoever changes the members of one space does not wait for thousands of lists that are being kept', async () => {
  await using server = await startLiveServer()
  const { user } = await server.signUp('Anna')
  const ben = await server.signUp('Ben')
  const id = randomHexId()
  await ben.call('POST', '/api/spaces', { id, name: 'Club' })
  addSpaces(server.dataDir, user.id, 3_000)
  const logs = async (): Promise<readonly string[]> =>
    (await readdir(server.dataDir, { recursive: true })).filter((name) => name.endsWith('.db'))
  await expect.poll(async () => (await logs()).length, { interval: 10 }).toBeGreaterThan(1)
  expect((await ben.call('PATCH', `/api/spaces/${id}`, { name: 'Board games' })).status).toBe(200)
  const opened = await logs()
  expect(opened.filter((name) => name.endsWith(`${id}.db`))).toHaveLength(1)
  expect(opened.length).toBeLessThan(3_000)
})

/**
 * Adds spaces to the accounts as an operator's script would: by the thousand, without waiting for the disk, and from a
 * process of its own. In the server's, closing the file would take the server's locks on it away. Their logs count as asked who
 * their members are: whoever lists spaces waits for that first, which opens them one by one.
 */
function addSpaces(dataDir: string, userId: string, count: number): void {
  execFileSync(process.execPath, ['-e', script, join(dataDir, 'platform.sqlite'), userId, String(count)])
}

const script = `
const { DatabaseSync } = require('node:sqlite')
const [file, userId, count] = process.argv.slice(1)
const db = new DatabaseSync(file, { timeout: 5_000 })
db.exec('begin immediate')
const insert = db.prepare(
  "insert into spaces (id, name, created_at, has_log, identity, access_id, asked_in) " +
    "select ?, ?, ?, 0, ?, '', name from accounts_history",
)
const add = db.prepare(
  "insert into members (space_id, user_id, role, joined_at, since) values (?, ?, 'owner', 1, '')",
)
for (let index = 0; index < Number(count); index++) {
  const id = String(index).padStart(32, '0')
  insert.run(id, index + ' ' + 'x'.repeat(190), 1 + Math.floor(index / 7), id)
  add.run(id, userId)
}
db.exec('commit')
db.close()
`
