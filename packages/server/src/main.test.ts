import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { lockDataDir } from './platform/data-dir-lock.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
// Each test starts programs from their sources, which takes a busy machine many seconds.
const deadlineMs = 60_000
vi.setConfig({ testTimeout: 2 * deadlineMs })

let dataDir: string
const running = new Set<ChildProcess>()

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-main-'))
})
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

/** Runs the program from its sources: Node strips the types. */
function run(env: Record<string, string>, nodeFlags: readonly string[] = [], args: readonly string[] = []) {
  const child = spawn(process.execPath, [...nodeFlags, '--conditions=source', main, ...args], {
    env: { DATA_DIR: dataDir, PORT: '0', NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const output = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (output.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output.err += chunk.toString()))
  const signal = AbortSignal.timeout(deadlineMs)
  const ended = once(child, 'close', { signal }).then(() => {
    running.delete(child)
    return { code: child.exitCode, ...output }
  })
  // A test may end without waiting for it.
  ended.catch(() => {})
  async function url(): Promise<string> {
    for (;;) {
      const found = /^t69 is at (http:\/\/localhost:[0-9]+)$/m.exec(output.out)?.[1]
      if (found !== undefined) return found
      await once(child.stdout, 'data', { signal })
    }
  }
  return { child, ended, url }
}

/** Waits until the server says that it can commit. On a busy machine it cannot tell that within its time at first. */
async function ready(url: string): Promise<void> {
  await expect.poll(async () => (await fetch(`${url}/ready`)).status).toBe(200)
}

describe('the program', () => {
  it('prints its URL, answers there, and exits when it is asked to', async () => {
    const { child, ended, url } = run({})
    await ready(await url())
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 0, err: '' })
  })

  it('starts at once on the data directory of a server that was killed', async () => {
    const first = run({})
    await first.url()
    const second = run({})
    expect(await second.ended).toMatchObject({
      code: 1,
      err: `t69 cannot start: another server is using ${dataDir}.\n`,
    })
    first.child.kill('SIGKILL')
    await first.ended
    const third = run({})
    await ready(await third.url())
  })

  it('refuses a directory in use, even when its lock file was removed', async () => {
    const first = run({})
    await first.url()
    // Stopped, it cannot take the lock again.
    first.child.kill('SIGSTOP')
    rmSync(join(dataDir, 'server.lock'))
    expect(await run({}).ended).toMatchObject({
      code: 1,
      err: `t69 cannot start: another server is using ${dataDir}.\n`,
    })
    first.child.kill('SIGCONT')
    await ready(await first.url())
  })

  it('shuts down in order when another has taken the lock of its directory', async () => {
    const first = run({})
    await first.url()
    // Stopped, it cannot take the lock again in between.
    first.child.kill('SIGSTOP')
    // As a server in another container does, which does not see the claim of this one.
    rmSync(join(dataDir, 'server.lock'))
    const taken = lockDataDir(dataDir, 0)
    first.child.kill('SIGCONT')
    const { code, err } = await first.ended
    taken.release()
    expect({ code, err }).toEqual({ code: 1, err: `t69 stops: another server is using ${dataDir}.\n` })
  })

  it('shuts down in order when its accounts are moved away, and does not start over beside their spaces', async () => {
    const first = run({})
    await first.url()
    mkdirSync(join(dataDir, 'ab'))
    writeFileSync(join(dataDir, 'ab', `${'ab'.repeat(16)}.db`), '')
    const path = join(dataDir, 'platform.sqlite')
    renameSync(path, `${path}.away`)
    const { code, err } = await first.ended
    expect(code).toBe(1)
    expect(err).toBe(
      `t69 stops: ${path}: it was replaced, moved or removed while it was in use. ` +
        'Put the right file there, and start it again.\n',
    )
    const second = await run({}).ended
    expect(second.code).toBe(1)
    expect(second.err).toMatch(/^t69 cannot start: .*platform\.sqlite is missing, but there are spaces: /)
    expect(existsSync(path)).toBe(false)
    renameSync(`${path}.away`, path)
    await ready(await run({}).url())
  })

  it('shuts down in order when the write-ahead log of its accounts is cut off, and starts again with what the files have', async () => {
    const first = run({})
    const path = join(dataDir, 'platform.sqlite')
    const account = { email: 'anna@example.org', password: 'correct horse battery' }
    const headers = { 'content-type': 'application/json' }
    const call = async (server: typeof first, route: string, body: object): Promise<number> => {
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      return (await fetch(`${await server.url()}/api/auth/${route}`, init)).status
    }
    expect(await call(first, 'register', { ...account, name: 'Anna' })).toBe(201)
    const shell = new Sqlite(path)
    shell.pragma('wal_checkpoint(TRUNCATE)')
    shell.exec('update users set created_at = created_at + 1')
    truncateSync(`${path}-wal`, 100)
    shell.close()
    const { code, err } = await first.ended
    expect({ code, err }).toEqual({
      code: 1,
      err: `t69 stops: ${path}: its write-ahead log was cut off while it was in use. Start it again: the file is examined then.\n`,
    })
    expect(await call(run({}), 'login', account)).toBe(200)
  })

  it('says in one sentence that another program has locked its database', async () => {
    const first = run({})
    await first.url()
    first.child.kill('SIGTERM')
    await first.ended
    const other = new Sqlite(join(dataDir, 'platform.sqlite'))
    other.pragma('locking_mode = EXCLUSIVE')
    other.exec('BEGIN EXCLUSIVE')
    const { code, err } = await run({}).ended
    other.close()
    expect(code).toBe(1)
    expect(err).toBe(
      `t69 cannot start: another program has locked a database in ${dataDir} (database is locked). Let it finish.\n`,
    )
  })

  it('lets nobody else read its files, even in a folder that others may read', async () => {
    chmodSync(dataDir, 0o755)
    await run({}).url()
    const files = readdirSync(dataDir)
    expect(files).toContain('platform.sqlite-wal')
    expect(files.filter((name) => (statSync(join(dataDir, name)).mode & 0o077) !== 0)).toEqual([])
  })

  it('makes links by which one person may sign up, beside a server that runs', async () => {
    const invite = (env = {}) => run(env, [], ['invite']).ended
    expect(await invite()).toMatchObject({
      code: 1,
      err: `t69 cannot do that: no server has run in ${dataDir} yet. Set DATA_DIR to the folder of a server.\n`,
    })
    const server = run({})
    const url = await server.url()
    const register = async (name: string, token?: string) => {
      const account = { email: `${name}@example.org`, password: 'correct horse battery', name }
      const body = JSON.stringify({ ...account, ...(token !== undefined && { invite: token }) })
      const headers = { 'content-type': 'application/json' }
      return (await fetch(`${url}/api/auth/register`, { method: 'POST', headers, body })).status
    }
    expect(await register('anna')).toBe(201)
    expect(await register('ben')).toBe(403)
    const { code, out } = await invite({ PUBLIC_URL: 'https://example.org/t69' })
    expect(code).toBe(0)
    const token = /^https:\/\/example\.org\/t69\/#sign-up=([\w-]{43})\nOne person .* until 20[^\n]*\n$/.exec(
      out,
    )?.[1]
    expect(await register('ben', token)).toBe(201)
    expect(await register('cleo', token)).toBe(410)
    // The server goes on: it is told of no damage, and ends as it should.
    server.child.kill('SIGTERM')
    expect(await server.ended).toMatchObject({ code: 0, err: '' })
    expect(await run({}, [], ['invent']).ended).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean invite'),
    })
  })

  it('names every wrong variable of the configuration, without a stack', async () => {
    const { code, err, out } = await run({ PORT: 'x', ACCESS_TOKEN_TTL: 'soon' }).ended
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toMatch(
      /^t69 cannot start: the configuration is wrong:\n {2}PORT: .*\n {2}ACCESS_TOKEN_TTL: .*\n$/,
    )
  })

  it('says in one sentence that its Node is too old', async () => {
    const older =
      'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.9.0" } })'
    const { code, err } = await run({}, ['--import', `data:text/javascript,${encodeURIComponent(older)}`])
      .ended
    expect({ code, err }).toEqual({
      code: 1,
      err: 't69 cannot start: it needs Node 24 or newer, and this is 22.9.0.\n',
    })
  })

  it('says in one sentence that the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? String(address.port) : ''
    const { code, err } = await run({ PORT: port }).ended
    other.close()
    expect({ code, err }).toEqual({
      code: 1,
      err: `t69 cannot start: port ${port} is in use. Stop what uses it, or set PORT.\n`,
    })
  })
})
