import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { connect as tcpConnect, type Socket as TcpSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { protocolVersion, sessionSchema, type Ack, type RequestReply } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { io, type Socket } from 'socket.io-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { parseConfig } from './config.ts'
import type { OwnRoutes } from './http/route.ts'
import { DataDirLockedError } from './platform/data-dir-lock.ts'
import { createServer, type Server, type ServerOptions } from './server.ts'
import { cheapPasswords, password } from './testing/http-harness.ts'

const deadlineMs = 25_000
const spaceId = 'ab'.repeat(16)

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-server-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

function create(
  env: Readonly<Record<string, string>> = {},
  options: Pick<ServerOptions, 'routes' | 'openFilesLimit'> = {},
): Promise<Server> {
  const config = parseConfig({ DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'silent', ...env })
  return createServer(config, { passwordCost: cheapPasswords, ...options })
}

async function call(server: Server, token: string | undefined, path: string, body?: object, method = 'POST') {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
  const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
  return fetch(`${server.url}${path}`, init)
}

async function signUp(server: Server): Promise<string> {
  const body = { email: 'anna@example.org', password, name: 'Anna' }
  const response = await call(server, undefined, '/api/auth/register', body)
  return sessionSchema.parse(await response.json()).accessToken
}

function connect(server: Server, token: string): Socket {
  const auth = { token, protocolVersion }
  return io(server.url, { auth, reconnection: false, transports: ['websocket'], forceNew: true })
}

async function next(socket: Socket, event: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} in time`)), deadlineMs)
    socket.once(event, (payload: unknown) => {
      clearTimeout(timer)
      resolve(payload)
    })
  })
}

async function joinSpace(socket: Socket): Promise<Ack<RequestReply<'space:join'>>> {
  return (await socket.timeout(deadlineMs).emitWithAck('space:join', { spaceId })) as Ack<
    RequestReply<'space:join'>
  >
}

/** Descriptors of this process that are of spaces' files, where Linux tells them. */
function openSpaceFiles(): number {
  if (process.platform !== 'linux') return 0
  const names = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return names.filter((name) => name.startsWith(dataDir) && name.includes('.db')).length
}

describe('the server', () => {
  it('serves HTTP and sockets on one port, and tells sockets of changes over HTTP', async () => {
    const server = await create()
    await server.listen()
    expect(server.url).toBe(`http://localhost:${server.port}`)
    const token = await signUp(server)
    const socket = connect(server, token)
    try {
      await next(socket, 'connect')
      expect(await joinSpace(socket)).toMatchObject({ ok: false, error: { code: 'not_found' } })
      expect((await call(server, token, '/api/spaces', { id: spaceId, name: 'Home' })).status).toBe(201)
      expect(await joinSpace(socket)).toMatchObject({ ok: true, role: 'owner', head: 0 })
      expect(existsSync(join(dataDir, 'ab', `${spaceId}.db`))).toBe(true)

      const closed = next(socket, 'space:closed')
      expect((await call(server, token, `/api/spaces/${spaceId}`, undefined, 'DELETE')).status).toBe(204)
      expect(await closed).toEqual({ spaceId, reason: 'deleted' })
      expect(existsSync(join(dataDir, 'ab', `${spaceId}.db`))).toBe(false)

      const disconnected = next(socket, 'disconnect')
      expect((await call(server, token, '/api/auth/logout')).status).toBe(204)
      await disconnected
    } finally {
      socket.disconnect()
      await server.close()
    }
  })

  it('serves HTTP and sockets below the path of PUBLIC_URL, and where a proxy takes that off', async () => {
    const server = await create({ PUBLIC_URL: 'https://example.org/chat/' })
    await server.listen()
    const token = await signUp(server)
    const statusOf = async (path: string): Promise<number> =>
      (await call(server, token, path, undefined, 'GET')).status
    const sockets: Socket[] = []
    try {
      for (const path of ['/chat/api/me', '/api/me', '/chat/health', '/health', '/chat/docs']) {
        expect([path, await statusOf(path)]).toEqual([path, 200])
      }
      // No part of the path counts as the whole, and it is taken off once.
      for (const path of ['/cha/api/me', '/chatty/api/me', '/chat/chat/api/me', '/chatapi/me']) {
        expect([path, await statusOf(path)]).toEqual([path, 404])
      }
      const auth = { token, protocolVersion }
      for (const path of ['/chat/socket.io/', '/socket.io/']) {
        for (const transport of ['websocket', 'polling']) {
          const how = { auth, path, transports: [transport], reconnection: false, forceNew: true }
          const socket = io(server.url, how)
          sockets.push(socket)
          await next(socket, 'connect')
        }
      }
    } finally {
      for (const socket of sockets) socket.disconnect()
      await server.close()
    }
  })

  it('tells clients and releases its files when it closes, and can start again on them', async () => {
    const server = await create()
    await server.listen()
    const token = await signUp(server)
    await call(server, token, '/api/spaces', { id: spaceId, name: 'Home' })
    const socket = connect(server, token)
    await next(socket, 'connect')
    await joinSpace(socket)
    const disconnected = next(socket, 'disconnect')
    const { url } = server
    await Promise.all([server.close(), server.close()])
    await disconnected
    socket.disconnect()
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed')

    const again = await create()
    const me = await again.http.inject({ url: '/api/me', headers: { authorization: `Bearer ${token}` } })
    expect(me.statusCode).toBe(200)
    await again.close()
  })

  it('serves routes of its operator at any path that is free, which change nothing of its own', async () => {
    const server = await create(
      {},
      {
        routes(app) {
          app.addHook('onRequest', async (_request, reply) => void reply.header('x-own', 'yes'))
          app.addContentTypeParser('text/csv', { parseAs: 'string' }, (_request, body, done) =>
            done(null, body),
          )
          app.get('/hello', async () => ({ hello: 'world' }))
          app.post('/hooks/:name', async ({ params, body }) => ({ params, body }))
          app.delete('/api/own', async () => {
            throw Object.assign(new Error('No'), { statusCode: 409 })
          })
        },
      },
    )
    await server.listen()
    try {
      const hello = await call(server, undefined, '/hello', undefined, 'GET')
      expect([hello.status, await hello.json()]).toEqual([200, { hello: 'world' }])
      expect(hello.headers.get('x-own')).toBe('yes')
      expect(hello.headers.get('content-security-policy')).toContain("default-src 'self'")
      const init = { method: 'POST', headers: { 'content-type': 'text/csv' }, body: 'a,b' }
      const hook = await fetch(`${server.url}/hooks/github`, init)
      expect(await hook.json()).toEqual({ params: { name: 'github' }, body: 'a,b' })
      const refused = await call(server, undefined, '/api/own', undefined, 'DELETE')
      expect(await refused.json()).toEqual({ error: { code: 'invalid_request', message: 'No' } })

      const health = await call(server, undefined, '/health', undefined, 'GET')
      expect([health.status, health.headers.get('x-own')]).toEqual([200, null])
      const login = await fetch(`${server.url}/api/auth/login`, init)
      expect(login.status).toBe(400)
      expect(await signUp(server)).toBeTypeOf('string')
    } finally {
      await server.close()
    }
  })

  it.each([
    [/GET.*\/api\/me/, (app) => void app.get('/api/me', async () => ({}))],
    [/no route/, () => Promise.reject(new Error('no route today'))],
  ] satisfies [RegExp, OwnRoutes][])(
    'does not start when adding routes of its operator ends in %s, and releases its files',
    async (problem, routes) => {
      await expect(create({}, { routes })).rejects.toThrow(problem)
      await (await create()).close()
    },
  )

  it('refuses a data directory that another server uses', async () => {
    const server = await create()
    await expect(create()).rejects.toThrow(DataDirLockedError)
    await server.close()
  })

  it('keeps few files open under a low limit, so that many may join and connections are still taken', async () => {
    // Without what the server itself needs, 40 descriptors: 6 spaces, and 22 connections.
    const server = await create({ MAX_OPEN_SPACES: '500' }, { openFilesLimit: 128 })
    await server.listen()
    const token = await signUp(server)
    const socket = connect(server, token)
    const connections: TcpSocket[] = []
    try {
      await next(socket, 'connect')
      const ids = Array.from({ length: 40 }, (_, index) => `${index}`.padStart(32, 'a'))
      for (const id of ids) await call(server, token, '/api/spaces', { id, name: 'Home' })
      const join = async (id: string) =>
        (await socket.timeout(deadlineMs).emitWithAck('space:join', { spaceId: id })) as { ok: boolean }
      const joined = await Promise.all(ids.map(join))
      expect(joined.filter(({ ok }) => !ok)).toEqual([])
      expect(openSpaceFiles()).toBeLessThanOrEqual(3 * (6 + 4))

      const ends: Promise<string>[] = []
      const closes: Promise<string>[] = []
      for (let nr = 0; nr < 22; nr++) {
        const connection = tcpConnect(server.port, '127.0.0.1')
        connections.push(connection)
        ends.push(
          Promise.race([once(connection, 'connect').then(() => ''), once(connection, 'error').then(String)]),
        )
        // From now on: one that is refused may be closed before the last one has come.
        closes.push(new Promise((resolve) => connection.once('close', () => resolve('closed'))))
      }
      await Promise.all(ends)
      expect(await Promise.race(closes)).toBe('closed')
    } finally {
      for (const connection of connections) connection.destroy()
      socket.disconnect()
      await server.close()
    }
  })

  it('goes on when a space that was deleted comes up again while the accounts cannot be written', async () => {
    const first = await create()
    await first.listen()
    const token = await signUp(first)
    await call(first, token, '/api/spaces', { id: spaceId, name: 'Home' })
    await first.close()
    // As if the accounts were restored from a copy that is older than the deletion.
    writeFileSync(join(dataDir, 'ab', `${spaceId}.deleted`), '')

    const server = await create()
    await server.listen()
    const socket = connect(server, token)
    const writer = new Sqlite(join(dataDir, 'platform.sqlite'))
    try {
      await next(socket, 'connect')
      writer.exec('begin immediate')
      expect(await joinSpace(socket)).toMatchObject({ ok: false, error: { code: 'not_found' } })
      const known = writer.prepare('select id from spaces').pluck()
      expect(known.all()).toEqual([spaceId])
      writer.exec('rollback')
      expect(await joinSpace(socket)).toMatchObject({ ok: false, error: { code: 'not_found' } })
      expect(known.all()).toEqual([])
    } finally {
      writer.close()
      socket.disconnect()
      await server.close()
    }
  })

  it('refuses a socket without a valid token', async () => {
    const server = await create()
    await server.listen()
    const socket = connect(server, 'nonsense')
    expect(await next(socket, 'connect_error')).toMatchObject({ data: { code: 'unauthenticated' } })
    socket.disconnect()
    await server.close()
  })
})
