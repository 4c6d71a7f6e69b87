import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { inviteSchema, randomHexId, sessionSchema, spaceSchema, type SessionReply } from '@t69/protocol'
import { expect, it } from 'vitest'

import { canFakeClock, createFakeClock } from '../lib/fake-clock.ts'
import { connectRaw } from '../lib/raw-socket.ts'
import { type ServerProcess, startServer } from '../lib/server-process.ts'

const yearSeconds = 365 * 86_400
const password = 'correct horse battery'
const email = 'anna@example.org'

interface Reply {
  readonly status: number
  readonly body: unknown
  /** By the clock of the machine, Unix milliseconds. */
  readonly date: number
  readonly retryAfterSeconds: number
}

async function call(server: ServerProcess, path: string, body?: object, token?: string): Promise<Reply> {
  const response = await fetch(server.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    body: text === '' ? undefined : JSON.parse(text),
    date: Date.parse(response.headers.get('date') ?? ''),
    retryAfterSeconds: Number(response.headers.get('retry-after') ?? 0),
  }
}

const signIn = (server: ServerProcess, given = password) =>
  call(server, '/api/auth/login', { email, password: given })
const renew = (server: ServerProcess, { refreshToken }: SessionReply) =>
  call(server, '/api/auth/refresh', { refreshToken })

/** Waits until the server's answers have a date that is off by so much. Node makes one a second. */
async function isOff(server: ServerProcess, seconds: number): Promise<void> {
  await expect
    .poll(async () => Math.abs((await call(server, '/health')).date - Date.now() - seconds * 1000))
    .toBeLessThan(60_000)
}

it.skipIf(!canFakeClock).each([
  ['ahead', yearSeconds],
  ['back', -yearSeconds],
])(
  'a clock that jumps a year %s and is right again, and is wrong at a start, ends nothing and holds nobody up (needs libfaketime)',
  async (_, offSeconds) => {
    const path = join(tmpdir(), `t69-clock-${randomHexId()}`)
    const clock = await createFakeClock(path)
    try {
      const env = { ...clock.env, LOG_LEVEL: 'warn', SIGN_IN_LIMIT_PER_ACCOUNT: '8' }
      await using server = await startServer({ env })
      const register = { email, password, name: 'Anna' }
      const before = sessionSchema.parse((await call(server, '/api/auth/register', register)).body)
      const id = randomHexId()
      const space = { id, name: 'Shared' }
      spaceSchema.parse((await call(server, '/api/spaces', space, before.accessToken)).body)
      const made = await call(server, `/api/spaces/${id}/invites`, { role: 'viewer' }, before.accessToken)
      const invite = inviteSchema.parse(made.body)
      using socket = await connectRaw(server.url, before.accessToken)
      expect(await socket.outcomeOf('space:join', { spaceId: id })).toBe('ok')

      await clock.set(offSeconds)
      await isOff(server, offSeconds)
      expect((await call(server, '/api/me', undefined, before.accessToken)).status).toBe(200)
      const during = sessionSchema.parse((await signIn(server)).body)
      expect((await call(server, '/api/me', undefined, during.accessToken)).status).toBe(200)
      using second = await connectRaw(server.url, during.accessToken)
      for (let guess = 0; guess < 8; guess++) await signIn(server, 'a guess')
      expect((await signIn(server)).status).toBe(429)

      await clock.set(0)
      await isOff(server, 0)
      expect((await call(server, '/api/me', undefined, before.accessToken)).status).toBe(200)
      const limited = await signIn(server)
      expect(limited.status).toBe(429)
      expect(limited.retryAfterSeconds).toBeLessThanOrEqual(15 * 60)
      const fromDuring = await call(server, '/api/me', undefined, during.accessToken)
      expect(fromDuring.status).toBe(offSeconds > 0 ? 401 : 200)
      const kept = [before, during].map(async (session) =>
        sessionSchema.parse((await renew(server, session)).body),
      )
      const [renewed, renewedDuring] = await Promise.all(kept)
      for (const { io } of [socket, second]) expect(io.connected).toBe(true)
      expect(await socket.outcomeOf('ops:pull', { spaceId: id, after: 0 })).toBe('ok')

      await server.kill()
      await clock.set(offSeconds)
      await server.start()
      const meanwhile = sessionSchema.parse((await renew(server, renewed!)).body)
      expect((await call(server, '/api/me', undefined, meanwhile.accessToken)).status).toBe(200)
      await server.stop()
      await clock.set(0)
      await server.start()
      for (const session of [meanwhile, renewedDuring!])
        expect((await renew(server, session)).status).toBe(200)
      const accepted = await call(server, `/api/invites/${invite.token}/accept`, {}, before.accessToken)
      expect(accepted.status).toBe(200)

      const days = server
        .log()
        .split('\n')
        .map((line) => /"byMs":(-?\d+)/.exec(line)?.[1])
        .filter((byMs) => byMs !== undefined)
        .map((byMs) => Math.round(Number(byMs) / 86_400_000))
      const off = offSeconds / 86_400
      expect(days).toEqual([off, -off, off])
    } finally {
      await rm(path, { force: true })
    }
  },
)
