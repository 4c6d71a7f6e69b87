import { sessionListSchema, type SessionEntry } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createHttpHarness, password, type HttpHarness, type Person } from '../testing/http-harness.ts'

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0'

/** Signs in again, with a header by which the device is named. Returns the tokens. */
async function signInFrom(harness: HttpHarness, { user }: Person, userAgent: string) {
  harness.clock.now += 1_000
  const response = await harness.app.inject({
    method: 'POST',
    url: '/api/auth/login',
    headers: { 'user-agent': userAgent },
    payload: { email: user.email, password },
  })
  return response.json<{ accessToken: string; refreshToken: string }>()
}

async function listOf(person: Pick<Person, 'call'>, query = ''): Promise<SessionEntry[]> {
  return sessionListSchema.parse((await person.call('GET', `/api/sessions${query}`)).body).sessions
}

const ended = { status: 401, body: { error: { code: 'unauthenticated' } } }

describe('the sessions of a person', () => {
  it('are listed to that person alone, with the device, since when, the last use, and which one asks', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const began = harness.clock.now
    const laptop = await signInFrom(harness, anna, firefox)
    harness.clock.now += 60_000
    await harness.anonymous('POST', '/api/auth/refresh', { refreshToken: laptop.refreshToken })
    const sessions = await listOf(anna)
    expect(sessions).toEqual([
      expect.objectContaining({
        device: 'lightMyRequest',
        createdAt: began,
        lastUsedAt: began,
        isThis: true,
      }),
      expect.objectContaining({
        device: 'Firefox on Linux',
        createdAt: began + 1_000,
        lastUsedAt: began + 61_000,
        isThis: false,
      }),
    ])
    expect(await listOf(ben)).toMatchObject([{ isThis: true }])
    expect(JSON.stringify(sessions)).not.toContain('133')
  })

  it('come in pages', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    for (let count = 0; count < 4; count++) await signInFrom(harness, anna, `device${count}`)
    const found: string[] = []
    let query = '?limit=2'
    for (let pages = 0; pages < 3; pages++) {
      const { sessions, next } = sessionListSchema.parse(
        (await anna.call('GET', `/api/sessions${query}`)).body,
      )
      found.push(...sessions.map(({ device }) => device))
      query = `?limit=2&after=${next}`
      expect(next === undefined).toBe(pages === 2)
    }
    expect(found).toEqual(['lightMyRequest', 'device0', 'device1', 'device2', 'device3'])
  })

  it('leave out those that have ended or expired', async () => {
    await using harness = await createHttpHarness({ REFRESH_TOKEN_TTL: '1h' })
    const anna = await harness.signUp('Anna')
    const phone = await signInFrom(harness, anna, 'phone')
    await harness.anonymous('POST', '/api/auth/logout', { refreshToken: phone.refreshToken })
    harness.clock.now += 61 * 60_000
    const now = harness.withToken((await signInFrom(harness, anna, 'now')).accessToken)
    expect((await listOf({ call: now })).map(({ device }) => device)).toEqual(['now'])
  })

  it('of an earlier version are given the name of their device when they are renewed', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const { refreshToken } = harness.platform.sessions.start(anna.user.id, harness.clock.now + 1)
    expect((await listOf(anna)).map(({ device }) => device)).toEqual(['lightMyRequest', ''])
    await harness.app.inject({
      method: 'POST',
      url: '/api/auth/refresh',
      headers: { 'user-agent': firefox },
      payload: { refreshToken },
    })
    expect((await listOf(anna)).map(({ device }) => device)).toEqual(['lightMyRequest', 'Firefox on Linux'])
  })

  it('are ended one by one, with their sockets and tokens, and the audit table says so', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const stolen = await signInFrom(harness, anna, firefox)
    const [, other] = await listOf(anna)
    expect((await anna.call('DELETE', `/api/sessions/${other!.id}`)).status).toBe(204)
    expect(harness.told).toEqual([`sessionEnded ${other!.id}`])
    expect(await harness.withToken(stolen.accessToken)('GET', '/api/me')).toMatchObject(ended)
    const { refreshToken } = stolen
    expect(await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })).toMatchObject(ended)
    expect((await anna.call('GET', '/api/me')).status).toBe(200)
    expect(harness.platform.audit.ofUser(anna.user.id, 1)).toMatchObject([
      { action: 'session ended', actorId: anna.user.id, address: '127.0.0.1' },
    ])
    expect(await anna.call('DELETE', `/api/sessions/${other!.id}`)).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    })
  })

  it('of somebody else are not there to be ended', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const [bens] = await listOf(ben)
    expect(await anna.call('DELETE', `/api/sessions/${bens!.id}`)).toMatchObject({ status: 404 })
    expect(harness.told).toEqual([])
    expect((await ben.call('GET', '/api/me')).status).toBe(200)
  })

  it('are all ended but the one that asks', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const others = [await signInFrom(harness, anna, 'one'), await signInFrom(harness, anna, 'two')]
    const before = await listOf(anna)
    expect((await anna.call('DELETE', '/api/sessions')).status).toBe(204)
    expect(harness.told.toSorted()).toEqual(
      before
        .slice(1)
        .map(({ id }) => `sessionEnded ${id}`)
        .toSorted(),
    )
    for (const { accessToken } of others)
      expect(await harness.withToken(accessToken)('GET', '/api/me')).toMatchObject(ended)
    expect(await listOf(anna)).toMatchObject([{ isThis: true }])
    expect((await ben.call('GET', '/api/me')).status).toBe(200)
    expect(harness.platform.audit.ofUser(anna.user.id, 1)).toMatchObject([
      { action: 'signed out everywhere else' },
    ])
  })
})
