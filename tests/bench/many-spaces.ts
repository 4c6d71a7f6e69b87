import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { encodeBatch, randomHexId, sessionSchema, type SpaceId, type TreeOperation } from '@t69/protocol'

import { watchMemory } from '../faults/server-memory.ts'
import { rootOf } from '../lib/cast.ts'
import { connectRaw } from '../lib/raw-socket.ts'
import { type ServerProcess, startServer } from '../lib/server-process.ts'

/**
 * Makes many spaces on a new server, some of each account and with some edits in each, as devices do it: over HTTP and a socket.
 * Then starts the server again, and measures what an operator waits for. With a directory, the data stays there.
 *
 *     pnpm build && node --conditions=source tests/bench/many-spaces.ts [spaces] [directory]
 */

const spaces = Number(process.argv[2] ?? 10_000)
const dataDir = process.argv[3]
const spacesOfEach = 500
/** Spaces of one account that are made at the same time. */
const atATime = 4
const editsOfEach = 20

const main = join(import.meta.dirname, '../../packages/server/dist/main.js')
const password = 'correct horse battery'
const many = '1000000'
const env = {
  LOG_LEVEL: 'error',
  // What is made here can be made again.
  SQLITE_SYNCHRONOUS: 'normal',
  SIGN_IN_LIMIT_PER_ADDRESS: many,
  REQUEST_LIMIT_PER_ADDRESS: many,
  REQUEST_LIMIT_PER_USER: many,
  OPERATIONS_PER_SECOND_AND_USER: many,
}

await using server = await startServer({ env, ...(dataDir !== undefined && { dataDir }) })
const begun = performance.now()
const accounts = Math.ceil(spaces / spacesOfEach)
await Promise.all(
  Array.from({ length: accounts }, (_, nr) => fill(nr, Math.min(spacesOfEach, spaces - nr * spacesOfEach))),
)
console.log(`${spaces} spaces of ${accounts} accounts are made in ${secondsSince(begun)} s`)

await server.stop()
const starting = performance.now()
await server.start()
console.log(`the next start takes ${secondsSince(starting)} s`)
const memory = await watchMemory(server.pid ?? 0)
console.log(`then the server has ${await memory.totalMiB()} MiB`)
for (const line of ['users list', 'spaces list --limit 1000', 'doctor', 'db check --all']) await command(line)
const { bytes, files } = await sizeOf(server)
console.log(`${files} files of spaces take ${Math.round(bytes / 1024 ** 2)} MiB`)

/** Makes the spaces of one account. */
async function fill(nr: number, count: number): Promise<void> {
  const credentials = { email: `person-${nr}@example.org`, password, name: `Person ${nr}` }
  const token = sessionSchema.parse(await post('/api/auth/register', credentials)).accessToken
  using socket = await connectRaw(server.url, token)
  let made = 0
  async function makeSome(): Promise<void> {
    while (made < count) {
      made++
      const spaceId = randomHexId() as SpaceId
      await post('/api/spaces', { id: spaceId, name: `Space ${made} of person ${nr}` }, token)
      for (const [event, payload] of [
        ['space:join', { spaceId }],
        ['ops:push', { spaceId, batch: encodeBatch({ spaceId, ops: opsOf(spaceId) }) }],
        ['space:leave', { spaceId }],
      ] as const) {
        const outcome = await socket.outcomeOf(event, payload)
        if (outcome !== 'ok') throw new Error(`${event} is refused: ${outcome}`)
      }
    }
  }
  await Promise.all(Array.from({ length: atATime }, makeSome))
}

function opsOf(spaceId: SpaceId): TreeOperation[] {
  const [root] = rootOf(spaceId)
  if (root === undefined) throw new Error('the tree has no root')
  const { parentId: _, ...base } = root
  const edits = Array.from({ length: editsOfEach }, (_, index) => ({
    ...base,
    clock: 3 + index,
    key: `edit-${index}`,
    value: 'some words that somebody wrote',
  }))
  return [...rootOf(spaceId), ...edits]
}

async function post(path: string, body: object, token?: string): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

async function command(line: string): Promise<void> {
  const asked = performance.now()
  // `doctor` ends with 1 where the disk is nearly full, say.
  await promisify(execFile)(process.execPath, [main, ...line.split(' ')], {
    env: { ...process.env, DATA_DIR: server.dataDir },
    maxBuffer: 64 * 1024 ** 2,
  }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 1)) throw error
  })
  console.log(`t69-server ${line} takes ${secondsSince(asked)} s`)
}

async function sizeOf({
  dataDir,
}: ServerProcess): Promise<{ readonly bytes: number; readonly files: number }> {
  let bytes = 0
  let files = 0
  for (const name of await readdir(dataDir, { recursive: true })) {
    if (!name.endsWith('.db')) continue
    files++
    bytes += (await stat(join(dataDir, name))).size
  }
  return { bytes, files }
}

function secondsSince(begun: number): string {
  return ((performance.now() - begun) / 1000).toFixed(1)
}
