import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { encodeBatch, randomHexId, sessionSchema, type SessionReply, type SpaceId } from '@t69/protocol'
import { expect, it } from 'vitest'

import { freshEdit, rootOf } from '../lib/cast.ts'
import { connectRaw } from '../lib/raw-socket.ts'
import { type ServerProcess, startServer } from '../lib/server-process.ts'

const works = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
const canMount = works('unshare', '-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt')
// File permissions do not apply to root, which has to drop that right first.
const isRoot = process.getuid?.() === 0
const withoutPrivilege = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search', '--']
const canDrop = !isRoot || works('setpriv', ...withoutPrivilege.slice(1), 'true')

const mainFile = join(import.meta.dirname, '../../packages/server/dist/main.js')

const account = { email: 'anna@example.org', password: 'correct horse battery' }

async function post(server: ServerProcess, path: string, body: object, token?: string) {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) }
}

const refresh = (server: ServerProcess, { refreshToken }: SessionReply) =>
  post(server, '/api/auth/refresh', { refreshToken })

/** Signs up, and makes two spaces with something in them. */
async function settle(server: ServerProcess) {
  const session = sessionSchema.parse(
    (await post(server, '/api/auth/register', { ...account, name: 'Anna' })).body,
  )
  const spaces = [randomHexId() as SpaceId, randomHexId() as SpaceId]
  using socket = await connectRaw(server.url, session.accessToken)
  for (const spaceId of spaces) {
    expect(
      (await post(server, '/api/spaces', { id: spaceId, name: 'Home' }, session.accessToken)).status,
    ).toBe(201)
    expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
    const batch = encodeBatch({ spaceId, ops: rootOf(spaceId) })
    expect(await socket.outcomeOf('ops:push', { spaceId, batch })).toBe('ok')
  }
  return { session, spaces }
}

/** Renews the session several times, and reads the spaces with what that gave. */
async function readsOn(
  server: ServerProcess,
  session: SessionReply,
  spaces: readonly SpaceId[],
): Promise<SessionReply> {
  let newest = session
  for (let renewal = 0; renewal < 3; renewal++) {
    const renewed = await refresh(server, newest)
    expect(renewed.status).toBe(200)
    newest = sessionSchema.parse(renewed.body)
  }
  const headers = { authorization: `Bearer ${newest.accessToken}` }
  expect((await fetch(`${server.url}/api/spaces`, { headers })).status).toBe(200)
  using socket = await connectRaw(server.url, newest.accessToken)
  for (const spaceId of spaces) {
    expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
    expect(await socket.request('ops:pull', { spaceId, after: 0 })).toMatchObject({
      ok: true,
      cursor: rootOf(spaceId).length,
    })
  }
  return newest
}

/** Writes until nothing fits any more. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (const size of [65_536, 4_096, 1]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size))
      } catch {
        // Try to fit less.
      }
    }
  } finally {
    closeSync(file)
  }
}

/** Runs the program by way of another. */
function commandThrough(through: readonly string[], env: Record<string, string>, ...args: readonly string[]) {
  const [program = process.execPath, ...given] = [...through, process.execPath, mainFile, ...args]
  return new Promise<{ readonly code: number | null; readonly err: string }>((resolve) => {
    const child = execFile(
      program,
      given,
      { env: { ...process.env, ...env }, timeout: 60_000 },
      (_, __, err) => resolve({ code: child.exitCode, err }),
    )
  })
}

it.skipIf(!canMount)(
  'on a full disk sessions are renewed and people read on, and nothing is used up (needs unshare)',
  async () => {
    const mount = 'mount -t tmpfs -o size=4m none "$DATA_DIR" && exec "$@"'
    await using server = await startServer({
      env: { LOG_LEVEL: 'warn', SIGN_IN_LIMIT_PER_ACCOUNT: '2', MAX_OPEN_SPACES: '1' },
      through: ['unshare', '-rm', 'sh', '-c', mount, 'sh'],
    })
    const { session, spaces } = await settle(server)
    const ballast = `/proc/${server.pid}/root${server.dataDir}/ballast`
    fill(ballast)
    const full = await post(server, '/api/auth/login', account)
    expect(full).toMatchObject({ status: 503, body: { error: { code: 'storage_failed' } } })
    const readiness = async () => (await fetch(`${server.url}/ready`)).status
    expect(await readiness()).toBe(503)
    const newest = await readsOn(server, session, spaces)
    const more = [1, 2, 3].map((nth) => `${ballast}-${nth}`)
    for (const path of more) {
      // What closed files have given back is taken again.
      fill(path)
      expect((await post(server, '/api/auth/login', account)).status).toBe(503)
    }

    for (const path of [ballast, ...more]) rmSync(path)
    expect((await post(server, '/api/auth/login', account)).status).toBe(200)
    await expect.poll(readiness).toBe(200)
    const renewed = sessionSchema.parse((await refresh(server, newest)).body)
    expect(renewed.refreshToken).not.toBe(newest.refreshToken)
    expect((await refresh(server, renewed)).status).toBe(200)
    // The spaces are written and compared again as ever.
    using socket = await connectRaw(server.url, renewed.accessToken)
    const headers = { authorization: `Bearer ${renewed.accessToken}` }
    for (const spaceId of spaces) {
      expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
      const { batch } = freshEdit(spaceId)
      expect(await socket.outcomeOf('ops:push', { spaceId, batch })).toBe('ok')
      const tree = `${server.url}/api/spaces/${spaceId}/trees/${spaceId}`
      await expect.poll(async () => (await fetch(tree, { headers })).status).toBe(200)
    }
  },
)

it.skipIf(!canMount)(
  'with its log on a full disk the server goes on and ends in order (needs unshare)',
  async () => {
    // What is in the log comes back through `tail`, which ends with the server.
    const mount = `mount -t tmpfs -o size=14m none "$DATA_DIR" && cd "$DATA_DIR" && touch log &&
      { tail -f --pid=$$ log & exec "$@" >log; }`
    await using server = await startServer({ through: ['unshare', '-rm', 'sh', '-c', mount, 'sh'] })
    await settle(server)
    const dataDir = `/proc/${server.pid}/root${server.dataDir}`
    const ballast: string[] = []
    const fillUp = (): Promise<void> =>
      expect
        .poll(async () => {
          // What closed files have given back is taken again.
          ballast.push(join(dataDir, `ballast-${ballast.length}`))
          fill(ballast.at(-1) ?? '')
          return (await fetch(`${server.url}/ready`)).text()
        })
        .toContain('ENOSPC')
    await fillUp()
    const attempts = 100
    const signIn = () => post(server, '/api/auth/login', { ...account, email: 'nobody@example.org' })
    for (let count = 0; count < attempts; count++) await signIn()
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
    const refusals = (): number => server.log().split('"refused"').length - 1
    expect(refusals()).toBeLessThan(attempts)
    for (const path of ballast) rmSync(path)
    await expect.poll(refusals).toBeGreaterThanOrEqual(attempts)
    const torn = server
      .log()
      .split('\n')
      .filter((line) => !/^(?:\{.*\}|t69 is at .*|\(node:.*)$/.test(line))
    expect(torn).toEqual([])

    await fillUp()
    for (let count = 0; count < attempts; count++) await signIn()
    expect(await server.stop()).toBe(0)
  },
)

it.skipIf(!canMount)(
  'a start and a command say in one line that the disk is read-only (needs unshare)',
  async () => {
    await using server = await startServer()
    await server.stop()
    const readOnly = 'mount --bind "$0" /mnt && mount -o remount,bind,ro /mnt && exec "$@"'
    const through = ['unshare', '-rm', 'sh', '-c', readOnly, server.dataDir]
    const env = { DATA_DIR: '/mnt', PORT: '0' }
    const wrong = /: it cannot write to \/mnt \(.+\)\. Set DATA_DIR\.\n$/
    const start = await commandThrough(through, env)
    expect(start).toMatchObject({ code: 1, err: expect.stringMatching(`^t69 cannot start${wrong.source}`) })
    const list = await commandThrough(through, env, 'users', 'list')
    expect(list).toMatchObject({ code: 1, err: expect.stringMatching(`^t69 cannot do that${wrong.source}`) })
  },
)

it.skipIf(!canDrop)(
  'with a read-only platform.sqlite sessions are renewed and people read on, also after a start',
  async () => {
    const through = isRoot ? withoutPrivilege : []
    await using server = await startServer({ env: { LOG_LEVEL: 'warn' }, through })
    const { session, spaces } = await settle(server)
    await server.stop()
    const path = join(server.dataDir, 'platform.sqlite')
    chmodSync(path, 0o444)
    try {
      await server.start()
      const newest = await readsOn(server, session, spaces)
      await server.stop()
      chmodSync(path, 0o600)
      await server.start()
      const renewed = sessionSchema.parse((await refresh(server, newest)).body)
      expect(renewed.refreshToken).not.toBe(newest.refreshToken)
    } finally {
      chmodSync(path, 0o600)
    }
  },
)
