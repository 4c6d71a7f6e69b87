import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'

import {
  encodeBatch,
  protocolVersion,
  randomHexId,
  sessionSchema,
  type SessionReply,
  spaceIdSchema,
} from '@t69/protocol'
import Fastify from 'fastify'
import { io, type Socket } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { parseConfig } from './config.ts'
import { createServer, type Server } from './server.ts'
import { cheapPasswords, password } from './testing/http-harness.ts'
import { opsFrom } from './testing/ops.ts'

const metricsToken = 'a-token-for-the-operator-long-enough'

interface Line extends Record<string, unknown> {
  readonly level: number
  readonly msg: string
}

/** What the server logs at the level that says the most, as an operator finds it. */
function createLog() {
  const lines: Line[] = []
  let written = Promise.withResolvers<void>()
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Line)
      written.resolve()
      written = Promise.withResolvers()
      done()
    },
  })
  return {
    lines,
    logger: Fastify({ logger: { level: 'trace', stream: out } }).log,
    /** The line with this message and these details, once it is there. */
    async line(msg: string, details: object): Promise<Line> {
      for (;;) {
        const found = lines.filter((line) => line.msg === msg && matches(line, details))
        if (found[0] !== undefined) return found[0]
        await written.promise
      }
    },
    count: (msg: string, details: object) =>
      lines.filter((line) => line.msg === msg && matches(line, details)).length,
  }
}

function matches(line: Line, details: object): boolean {
  return Object.entries(details).every(([key, value]) => line[key] === value)
}

describe('the log', () => {
  const log = createLog()
  const here = { level: 30, address: '127.0.0.1' }
  let dataDir: string
  let server: Server
  let anna: SessionReply
  let ben: SessionReply

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 't69-log-'))
    const env = { DATA_DIR: dataDir, PORT: '0', REGISTRATION: 'open', METRICS_TOKEN: metricsToken }
    server = await createServer(parseConfig(env), { passwordCost: cheapPasswords, logger: log.logger })
    await server.listen()
    anna = await signUp('anna')
    ben = await signUp('ben')
  })
  afterAll(async () => {
    await server.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  const signUp = async (name: string) =>
    sessionSchema.parse(
      await (
        await call('POST', '/api/auth/register', { email: `${name}@example.org`, password, name })
      ).json(),
    )
  const call = (method: string, path: string, body?: object, token?: string) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })

  async function connect(token: string): Promise<Socket> {
    const auth = { token, protocolVersion }
    const socket = io(`http://127.0.0.1:${server.port}`, {
      auth,
      reconnection: false,
      transports: ['websocket'],
      forceNew: true,
    })
    await new Promise((resolve) => {
      socket.once('connect', () => resolve(undefined))
      socket.once('connect_error', resolve)
    })
    return socket
  }

  async function newSpace(): Promise<string> {
    const id = randomHexId()
    await call('POST', '/api/spaces', { id, name: 'The plan “nobody” may read' }, anna.accessToken)
    return id
  }

  it('begins with the version', async () => {
    expect(await log.line('t69 starts', { dataDir })).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+/),
      protocolVersion,
    })
    expect(await (await call('GET', '/health')).json()).toMatchObject({
      status: 'ok',
      version: expect.any(String),
    })
  })

  it('says who asked for what, from where, and why it was refused', async () => {
    const spaceId = await newSpace()
    await log.line('answered', { ...here, route: '/api/spaces', status: 201, userId: anna.user.id, spaceId })
    await call('GET', `/api/spaces/${spaceId}/members`, undefined, ben.accessToken)
    const foreign = {
      ...here,
      route: '/api/spaces/:spaceId/members',
      code: 'not_found',
      userId: ben.user.id,
      spaceId,
    }
    expect(await log.line('refused', foreign)).toMatchObject({
      why: 'No such space',
      reqId: expect.any(String),
    })

    await call('POST', '/api/auth/login', { email: 'anna@example.org', password: 'not this one!' })
    await log.line('refused', { ...here, route: '/api/auth/login', code: 'wrong_credentials' })
    await call('POST', '/api/auth/login', { email: 'anna@example.org', password })
    await log.line('answered', { ...here, route: '/api/auth/login', userId: anna.user.id })
    await call('GET', '/api/me', undefined, 'nonsense')
    await log.line('refused', { ...here, route: '/api/me', code: 'unauthenticated' })

    await call('DELETE', `/api/spaces/${spaceId}`, undefined, anna.accessToken)
    await log.line('answered', { ...here, method: 'DELETE', userId: anna.user.id, spaceId })
  })

  it('says once that a socket is refused, connected, joined, refused something, left and disconnected', async () => {
    const spaceId = await newSpace()
    const nobody = await connect('nonsense')
    nobody.disconnect()
    await log.line('a connection is refused', { ...here, code: 'unauthenticated' })

    const socket = await connect(anna.accessToken)
    const { connectionId } = await log.line('connected', { ...here, userId: anna.user.id })
    const whose = { ...here, userId: anna.user.id, connectionId }
    await socket.emitWithAck('space:join', { spaceId })
    await log.line('joined', { ...whose, spaceId, role: 'owner' })
    await socket.emitWithAck('space:join', { spaceId })
    const other = randomHexId()
    const batch = encodeBatch({
      spaceId: spaceIdSchema.parse(other),
      ops: opsFrom(1, 1, { space: spaceIdSchema.parse(other) }),
    })
    expect(await socket.emitWithAck('ops:push', { spaceId, batch })).toMatchObject({ ok: false })
    await log.line('refused', { ...whose, event: 'ops:push', spaceId })
    await socket.emitWithAck('space:join', { spaceId: other })
    await log.line('refused', { ...whose, event: 'space:join', code: 'not_found', spaceId: other })
    await call('DELETE', `/api/spaces/${spaceId}`, undefined, anna.accessToken)
    await log.line('left', { ...whose, spaceId, why: 'deleted' })
    socket.disconnect()
    await log.line('disconnected', whose)
    for (const msg of ['connected', 'joined', 'left', 'disconnected']) {
      expect([msg, log.count(msg, whose)]).toEqual([msg, 1])
    }
  })

  it('does not repeat for ever what one socket is refused', async () => {
    const socket = await connect(ben.accessToken)
    const asked = Array.from({ length: 150 }, () =>
      socket.emitWithAck('space:join', { spaceId: randomHexId() }),
    )
    await Promise.all(asked)
    socket.disconnect()
    await log.line('disconnected', { userId: ben.user.id })
    const lines = log.count('refused', { event: 'space:join', userId: ben.user.id })
    expect(lines).toBeGreaterThanOrEqual(50)
    expect(lines).toBeLessThan(100)
  })

  it('is completed by figures, each of which the README explains', async () => {
    const spaceId = await newSpace()
    const socket = await connect(anna.accessToken)
    await socket.emitWithAck('space:join', { spaceId })
    const spaceIdOfOps = spaceIdSchema.parse(spaceId)
    const batch = encodeBatch({ spaceId: spaceIdOfOps, ops: opsFrom(1, 1, { space: spaceIdOfOps }) })
    expect(await socket.emitWithAck('ops:push', { spaceId, batch })).toMatchObject({ ok: true })
    await socket.emitWithAck('space:join', { spaceId: randomHexId() })
    await call('GET', `/api/spaces/${spaceId}`, undefined, ben.accessToken)
    let exposition = ''
    const figure = (name: string) => {
      const line = exposition.split('\n').find((it) => it.startsWith(`${name} `))
      return Number(line?.slice(name.length))
    }
    // A busy machine cannot flush within the time that there is for it, at first.
    await expect
      .poll(async () => {
        exposition = await (await call('GET', '/metrics', undefined, metricsToken)).text()
        return figure('t69_flush_seconds')
      })
      .toBeLessThan(4)
    socket.disconnect()
    expect(figure('t69_connections')).toBe(1)
    expect(figure('t69_open_spaces')).toBeGreaterThan(0)
    expect(figure('t69_users')).toBe(2)
    expect(figure('t69_disk_free_bytes')).toBeGreaterThan(0)
    for (const part of ['commit_seconds_count', 'ack_seconds_count{event="ops:push"}'])
      expect(figure(`t69_${part}`), part).toBeGreaterThan(0)
    const refused = 't69_requests_refused_total'
    expect(figure(`${refused}{event="space:join",code="not_found"}`)).toBeGreaterThan(0)
    expect(figure(`${refused}{event="GET /api/spaces/:spaceId",code="not_found"}`)).toBeGreaterThan(0)

    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const explained = [...readme.matchAll(/^\| `(t69_\w+)/gm)].map(([, name]) => name)
    const served = [...exposition.matchAll(/^# TYPE (t69_\w+)/gm)].map(([, name]) => name)
    expect(new Set(explained)).toEqual(new Set(served))
  })

  it('has no secret and nobody’s words', async () => {
    const spaceId = await newSpace()
    const made = await call('POST', `/api/spaces/${spaceId}/invites`, { role: 'viewer' }, anna.accessToken)
    const { token } = (await made.json()) as { token: string }
    await call('POST', `/api/invites/${token}/accept`, {}, ben.accessToken)
    await log.line('answered', { route: '/api/invites/:token/accept', userId: ben.user.id, spaceId })
    // Words in places where refusals quote: a body that is not JSON, a key that nobody knows, a URL, a space's name.
    const odd = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a secret word' }
    await fetch(`${server.url}/api/auth/login`, odd)
    await call('POST', '/api/auth/login', { email: 'x@example.org', password, 'a secret word': 1 })
    await call('GET', `/api/spaces/%E0%A4%A-${token}`, undefined, anna.accessToken)
    await call('GET', '/a secret word', undefined)
    for (const path of [
      `/api/invites/${token}/accept`,
      `/api/invites/${token}/`,
      `/invite/${token}?of=${token}`,
    ]) {
      expect((await call('GET', path, undefined)).status).toBe(404)
    }
    await call('POST', '/api/auth/delete-account', { password }, anna.accessToken)
    const deletion = { route: '/api/auth/delete-account', code: 'forbidden' }
    expect(await log.line('refused', deletion)).toMatchObject({
      why: expect.stringContaining('You are the last owner of …'),
    })
    const all = JSON.stringify(log.lines)
    const secrets = [
      token,
      anna.accessToken,
      anna.refreshToken ?? '',
      password,
      'secret word',
      'The plan',
      'nobody',
    ]
    expect(secrets.filter((secret) => all.includes(secret))).toEqual([])
  })
})
