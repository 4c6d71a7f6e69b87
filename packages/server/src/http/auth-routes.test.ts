import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { hash } from '@node-rs/argon2'
import { inviteSchema, sessionSchema, userIdSchema } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { describe, expect, it } from 'vitest'

import { cheapPasswords, createHttpHarness, password, type HttpHarness } from '../testing/http-harness.ts'

const minute = 60_000

const isDeviceCookie = (name: string): boolean => name.startsWith('t69_device_')

describe('signing up and in', () => {
  it('returns a session with both tokens, and the access token names the user', async () => {
    await using harness = await createHttpHarness()
    const body = { email: ' Anna@Example.org ', password, name: 'Anna' }
    const registered = await harness.anonymous('POST', '/api/auth/register', body)
    expect(registered.status).toBe(201)
    const session = sessionSchema.parse(registered.body)
    expect(session.user).toMatchObject({ email: 'anna@example.org', name: 'Anna' })
    expect(session.expiresInMs).toBe(15 * minute)
    expect(session.refreshToken).toBeTypeOf('string')

    const me = await harness.withToken(session.accessToken)('GET', '/api/me')
    // The first account is an admin's.
    expect(me).toEqual({ status: 200, body: { ...session.user, role: 'admin' } })

    const login = await harness.anonymous('POST', '/api/auth/login', { email: 'ANNA@example.org', password })
    expect(login.status).toBe(200)
    expect(sessionSchema.parse(login.body).user).toEqual(session.user)
  })

  it('answers with the name that it stores: half a character is replaced in both', async () => {
    await using harness = await createHttpHarness()
    const body = { email: 'anna@example.org', password, name: 'Anna \ud83d' }
    const registered = await harness.anonymous('POST', '/api/auth/register', body)
    expect(sessionSchema.parse(registered.body).user.name).toBe('Anna \ufffd')
    expect(harness.platform.users.byEmail('anna@example.org')?.name).toBe('Anna \ufffd')
  })

  it('keeps neither password nor refresh token in the database', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    expect(harness.platform.users.byEmail('anna@example.org')?.passwordHash).toMatch(/^\$argon2id\$/)
    const file = readFileSync(`${harness.dataDir}/platform.sqlite-wal`)
    expect(file.includes('anna@example.org')).toBe(true)
    expect(file.includes(anna.session.refreshToken!)).toBe(false)
    expect(file.includes(password)).toBe(false)
  })

  it('refuses an address that is taken, in any letter case', async () => {
    await using harness = await createHttpHarness()
    await harness.signUp('Anna')
    const body = { email: 'ANNA@example.org', password, name: 'Another' }
    expect(await harness.anonymous('POST', '/api/auth/register', body)).toMatchObject({
      status: 409,
      body: { error: { code: 'already_exists' } },
    })
  })

  it.each([
    ['spaces around it', ' anna@xn--bcher-kva.example '],
    ['its domain in Unicode', 'ANNA@Bücher.example'],
    ['its domain in another normal form', 'anna@bu\u0308cher.example'],
    ['letters of full width', 'ａｎｎａ@bücher.example'],
  ])('takes an address for the same with %s, in signing in and up', async (_what, email) => {
    await using harness = await createHttpHarness()
    const body = { email: 'anna@bücher.example', password, name: 'Anna' }
    expect((await harness.anonymous('POST', '/api/auth/register', body)).status).toBe(201)
    expect((await harness.anonymous('POST', '/api/auth/login', { email, password })).status).toBe(200)
    expect(await harness.anonymous('POST', '/api/auth/register', { ...body, email })).toMatchObject({
      status: 409,
      body: { error: { code: 'already_exists' } },
    })
  })

  it('renews a hash of another form of the password, made by an older server, when its owner signs in', async () => {
    await using harness = await createHttpHarness()
    const { user } = await harness.signUp('Anna')
    const { users } = harness.platform
    const [typed, other] = ['pa\u00dfwort caf\u00e9 \ufb01n', 'pa\u00dfwort cafe\u0301 fin']
    const made = await hash(typed, cheapPasswords)
    users.changePassword(user.id, users.byEmail(user.email)!.passwordHash, made)

    const signIn = async (entered: string) =>
      (await harness.anonymous('POST', '/api/auth/login', { email: user.email, password: entered })).status
    expect(await signIn(other)).toBe(401)
    expect(users.byEmail(user.email)?.passwordHash).toBe(made)
    // Two devices at once: neither is refused because the other renewed the hash.
    expect(await Promise.all([signIn(typed), signIn(typed)])).toEqual([200, 200])
    expect(users.byEmail(user.email)?.passwordHash).not.toBe(made)
    expect(await signIn(other)).toBe(200)
    expect(await signIn(typed)).toBe(200)
  })

  it('lets one of two simultaneous sign-ups with an address win', async () => {
    await using harness = await createHttpHarness()
    const body = { email: 'anna@example.org', password, name: 'Anna' }
    const replies = await Promise.all([1, 2].map(() => harness.anonymous('POST', '/api/auth/register', body)))
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([201, 409]))
  })

  it('answers alike for a wrong password and an unknown address', async () => {
    await using harness = await createHttpHarness()
    await harness.signUp('Anna')
    const wrong = { email: 'anna@example.org', password: 'wrong horse' }
    const unknown = { email: 'nobody@example.org', password }
    const replies = [
      await harness.anonymous('POST', '/api/auth/login', wrong),
      await harness.anonymous('POST', '/api/auth/login', unknown),
    ]
    expect(replies[0]).toMatchObject({ status: 401, body: { error: { code: 'wrong_credentials' } } })
    expect(replies[1]).toEqual(replies[0])
  })

  it.each([
    [{ email: 'nonsense', password, name: 'A' }, 'email'],
    [{ email: 'a@example.org', password: 'short', name: 'A' }, 'password'],
    [{ email: 'a@example.org', password, name: ' ' }, 'name'],
    [{ email: 'a@example.org', password, name: 'A', session: 'pigeon' }, 'session'],
    [{ email: ['a@example.org'], password, name: 'A' }, 'email'],
  ])('names the field that is wrong in %j', async (body, at) => {
    await using harness = await createHttpHarness()
    expect(await harness.anonymous('POST', '/api/auth/register', body)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', at } },
    })
  })
})

describe('renewing a session', () => {
  async function refresh(harness: HttpHarness, refreshToken: string | undefined) {
    const reply = await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })
    return {
      status: reply.status,
      session: reply.status === 200 ? sessionSchema.parse(reply.body) : undefined,
    }
  }

  it('exchanges a refresh token for a fresh pair', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const renewed = await refresh(harness, anna.session.refreshToken)
    expect(renewed.status).toBe(200)
    expect(renewed.session!.refreshToken).not.toBe(anna.session.refreshToken)
    expect((await harness.withToken(renewed.session!.accessToken)('GET', '/api/me')).status).toBe(200)
  })

  it('takes the previous token once more when the answer was lost', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    await refresh(harness, anna.session.refreshToken)
    harness.clock.now += 20_000
    const again = await refresh(harness, anna.session.refreshToken)
    expect(again.status).toBe(200)
    expect((await refresh(harness, again.session!.refreshToken)).status).toBe(200)
    expect(harness.told).toEqual([])
  })

  it('ends the session when an outdated token is used, for thief and victim alike', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const renewed = await refresh(harness, anna.session.refreshToken)
    harness.clock.now += 31_000
    expect((await refresh(harness, anna.session.refreshToken)).status).toBe(401)
    expect(harness.told).toHaveLength(1)
    expect(harness.told[0]).toMatch(/^sessionEnded /)
    expect((await refresh(harness, renewed.session!.refreshToken)).status).toBe(401)
    expect((await anna.call('GET', '/api/me')).status).toBe(401)
  })

  it('detects a quick thief at the next renewal of either party', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const honest = await refresh(harness, anna.session.refreshToken)
    const thief = await refresh(harness, anna.session.refreshToken)
    harness.clock.now += 10 * minute
    expect((await refresh(harness, honest.session!.refreshToken)).status).toBe(200)
    harness.clock.now += minute
    expect((await refresh(harness, thief.session!.refreshToken)).status).toBe(401)
    expect(harness.told).toHaveLength(1)
  })

  it('detects a thief who is as quick at the next renewal, whichever party is first', async () => {
    for (const isThiefFirst of [false, true]) {
      await using harness = await createHttpHarness()
      const anna = await harness.signUp('Anna')
      const honest = await refresh(harness, anna.session.refreshToken)
      const thief = await refresh(harness, anna.session.refreshToken)
      harness.clock.now += 12 * minute
      const [first, second] = isThiefFirst ? [thief, honest] : [honest, thief]
      expect((await refresh(harness, first.session!.refreshToken)).status).toBe(200)
      harness.clock.now += 1_000
      expect((await refresh(harness, second.session!.refreshToken)).status).toBe(401)
      expect(harness.told).toHaveLength(1)
    }
  })

  it('keeps a used session alive, and lets an unused one expire', async () => {
    await using harness = await createHttpHarness({ REFRESH_TOKEN_TTL: '10m' })
    const anna = await harness.signUp('Anna')
    harness.clock.now += 9 * minute
    const renewed = await refresh(harness, anna.session.refreshToken)
    harness.clock.now += 9 * minute
    const again = await refresh(harness, renewed.session!.refreshToken)
    expect(again.status).toBe(200)
    harness.clock.now += 10 * minute
    expect((await refresh(harness, again.session!.refreshToken)).status).toBe(401)
  })

  it('renews while nothing can be written, and goes on from there afterwards', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const first = anna.session.refreshToken
    const before = await refresh(harness, first)
    const other = new Sqlite(join(harness.dataDir, 'platform.sqlite'))
    other.exec('begin immediate')
    // The answer to the refresh before was lost.
    const repeated = await refresh(harness, first)
    expect(repeated.status).toBe(200)
    expect(repeated.session?.refreshToken).not.toBe(first)
    harness.clock.now += 10 * minute
    const again = await refresh(harness, repeated.session!.refreshToken)
    expect(again.session?.refreshToken).toBe(repeated.session?.refreshToken)
    expect((await harness.withToken(again.session!.accessToken)('GET', '/api/spaces')).status).toBe(200)
    // A thief is not let in, and is not taken for a reason to sign out either.
    expect((await refresh(harness, first)).status).toBe(503)
    expect((await refresh(harness, 'made up')).status).not.toBe(200)
    other.close()

    const rotated = await refresh(harness, again.session!.refreshToken)
    expect(rotated.status).toBe(200)
    expect(rotated.session?.refreshToken).not.toBe(again.session?.refreshToken)
    harness.clock.now += minute
    expect((await refresh(harness, before.session!.refreshToken)).status).toBe(401)
    expect(harness.told).toHaveLength(1)
  })

  it('refuses an access token from the future, and renews the session', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    harness.clock.now -= minute
    expect((await anna.call('GET', '/api/me')).status).toBe(200)
    harness.clock.now -= 2 * minute
    expect((await anna.call('GET', '/api/me')).status).toBe(401)
    expect((await refresh(harness, anna.session.refreshToken)).status).toBe(200)
  })

  it('refuses a token that it did not issue', async () => {
    await using harness = await createHttpHarness()
    expect((await refresh(harness, 'made-up')).status).toBe(401)
    expect((await refresh(harness, undefined)).status).toBe(401)
    expect((await harness.anonymous('POST', '/api/auth/refresh')).status).toBe(401)
  })
})

describe('signing out', () => {
  it('ends the session, its access token and its sockets', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const { refreshToken } = anna.session
    expect((await harness.anonymous('POST', '/api/auth/logout', { refreshToken })).status).toBe(204)
    expect(harness.told).toHaveLength(1)
    expect((await anna.call('GET', '/api/me')).status).toBe(401)
    expect((await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })).status).toBe(401)
    expect((await harness.anonymous('POST', '/api/auth/logout', { refreshToken })).status).toBe(204)
    expect(harness.told).toHaveLength(1)
  })

  it('accepts the access token too, and leaves other devices signed in', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const login = await harness.anonymous('POST', '/api/auth/login', { email: 'anna@example.org', password })
    const other = harness.withToken(sessionSchema.parse(login.body).accessToken)
    expect((await anna.call('POST', '/api/auth/logout')).status).toBe(204)
    expect((await anna.call('GET', '/api/me')).status).toBe(401)
    expect((await other('GET', '/api/me')).status).toBe(200)
  })

  it('ends every session of the user when asked to sign out everywhere, and nobody else’s', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const login = await harness.anonymous('POST', '/api/auth/login', { email: 'anna@example.org', password })
    const other = harness.withToken(sessionSchema.parse(login.body).accessToken)
    expect((await anna.call('POST', '/api/auth/logout', { everywhere: true })).status).toBe(204)
    expect(harness.told).toHaveLength(2)
    expect((await other('GET', '/api/me')).status).toBe(401)
    expect((await ben.call('GET', '/api/me')).status).toBe(200)
  })
})

describe('a session in a cookie', () => {
  const body = { email: 'anna@example.org', password, name: 'Anna', session: 'cookie' }
  const host = { host: 't69.example' }

  async function signedUp(env: Record<string, string> = {}, headers: Record<string, string> = {}) {
    const harness = await createHttpHarness(env)
    const url = '/api/auth/register'
    const response = await harness.app.inject({ method: 'POST', url, payload: body, headers })
    const [cookie] = response.cookies
    const refresh = (more: Record<string, string>, payload?: object) =>
      harness.app.inject({
        method: 'POST',
        url: '/api/auth/refresh',
        headers: { ...host, ...more },
        cookies: { [cookie!.name]: cookie!.value },
        ...(payload !== undefined && { payload }),
      })
    return { harness, response, cookie: cookie!, refresh }
  }

  it('is hidden from scripts and other sites, and the body has no refresh token', async () => {
    const { harness, response, cookie } = await signedUp()
    await using _ = harness
    expect(response.json()).not.toHaveProperty('refreshToken')
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/api/auth', maxAge: 2_592_000 })
    expect(cookie.secure).toBeUndefined()
  })

  it('is secure when the request came by HTTPS through a trusted proxy', async () => {
    const { harness, cookie } = await signedUp({ TRUST_PROXY: 'true' }, { 'x-forwarded-proto': 'https' })
    await using _ = harness
    expect(cookie.secure).toBe(true)
  })

  it('does not trust an untrusted client that claims HTTPS', async () => {
    const { harness, cookie } = await signedUp({}, { 'x-forwarded-proto': 'https' })
    await using _ = harness
    expect(cookie.secure).toBeUndefined()
  })

  it.each([
    ['no headers, as from a program', {}, 200],
    ['a page of the server', { 'sec-fetch-site': 'same-origin' }, 200],
    ['a page of the server in an old browser', { origin: 'http://t69.example' }, 200],
    ['a page of an allowed origin', { 'sec-fetch-site': 'cross-site', origin: 'https://app.example' }, 200],
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403],
    ['a sister domain', { 'sec-fetch-site': 'same-site', origin: 'http://evil.t69.example' }, 403],
    ['another port in an old browser', { origin: 'http://t69.example:8080' }, 403],
    ['a sandboxed frame', { origin: 'null' }, 403],
  ])('is accepted or refused by the origin of the request: %s', async (_, headers, status) => {
    const { harness, refresh } = await signedUp({ CORS_ORIGIN: 'https://app.example' })
    await using __ = harness
    const response = await refresh(headers)
    expect(response.statusCode).toBe(status)
    const names = response.cookies.map(({ name }) => (isDeviceCookie(name) ? 'device' : name))
    expect(names).toEqual(status === 200 ? ['t69_refresh', 'device'] : [])
  })

  // Over plain HTTP browsers send no `Sec-Fetch-Site`. Another origin's page cannot send JSON, which CORS has to allow.
  it.each([
    ['nginx leaves the port out', { host: 'nas.home', origin: 'http://nas.home:8080' }, 200],
    ['a proxy ends TLS and is not trusted', { host: 'nas.home', origin: 'https://nas.home' }, 200],
    ['a proxy puts its upstream’s address', { host: '127.0.0.1:3000', origin: 'http://nas.home:8080' }, 200],
    ['a proxy puts its upstream’s IPv6 address', { host: '[::1]:3000', origin: 'http://nas.home' }, 200],
    ['a proxy puts its upstream’s name', { host: 'backend', origin: 'https://t69.example' }, 200],
    ['another name', { host: 't69.example', origin: 'http://evil.t69.example' }, 403],
    ['no origin at all', { host: '127.0.0.1:3000', origin: 'null' }, 403],
    ['a browser that says where the page is', { host: 'backend', 'sec-fetch-site': 'same-site' }, 403],
  ])('is good for a JSON request behind a proxy: %s', async (_, headers, status) => {
    const { harness, refresh } = await signedUp()
    await using __ = harness
    expect((await refresh(headers, {})).statusCode).toBe(status)
  })

  it.each([
    ['at PUBLIC_URL', { origin: 'https://t69.example' }, undefined, 200],
    ['at PUBLIC_URL, with JSON', { origin: 'https://t69.example' }, {}, 200],
    ['at the address of the machine', { origin: 'http://10.0.0.7:3000', host: '10.0.0.7:3000' }, {}, 200],
    ['elsewhere', { origin: 'http://nas.home' }, {}, 403],
    ['at another port of PUBLIC_URL', { origin: 'https://t69.example:8443' }, {}, 403],
  ])(
    'is good for pages at PUBLIC_URL, whatever the proxy says: a page %s',
    async (_, given, payload, status) => {
      const { harness, refresh } = await signedUp({ PUBLIC_URL: 'https://t69.example/chat/' })
      await using __ = harness
      expect((await refresh({ host: '127.0.0.1:3000', ...given }, payload)).statusCode).toBe(status)
    },
  )

  it('is not for a page of another port that sends what a form can send', async () => {
    const { harness, refresh } = await signedUp()
    await using _ = harness
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'text/plain; application/json']) {
      const response = await refresh({ origin: 'http://t69.example:8080', 'content-type': type })
      expect(response.statusCode).toBeGreaterThanOrEqual(400)
      expect(response.cookies).toEqual([])
    }
  })

  it('is refused with a warning that says what was seen, once a minute', async () => {
    const { harness, refresh } = await signedUp({ PUBLIC_URL: 'https://t69.example' })
    await using _ = harness
    const origin = `http://nas.home/${'x'.repeat(1000)}`
    for (let time = 0; time < 3; time++) await refresh({ origin, host: 'backend' }, {})
    expect(harness.warnings).toEqual([
      { origin: origin.slice(0, 200), host: 'backend', publicUrl: 'https://t69.example' },
    ])
    harness.clock.now += 60_000
    await refresh({ 'sec-fetch-site': 'same-site', host: 'backend' })
    expect(harness.warnings[1]).toMatchObject({ site: 'same-site', host: 'backend' })
  })

  it('is for the path of PUBLIC_URL, and secure in a page that came by HTTPS', async () => {
    const { harness, cookie } = await signedUp(
      { PUBLIC_URL: 'https://t69.example/chat/' },
      { origin: 'https://t69.example' },
    )
    await using _ = harness
    expect(cookie).toMatchObject({ path: '/chat/api/auth', secure: true })
  })

  it('leaves that of a server at another port of the host alone, which the browser sends as well', async () => {
    await using one = await createHttpHarness()
    await using other = await createHttpHarness()
    const jar: Record<string, string> = {}
    async function ask({ app }: typeof one, url: string, payload?: object) {
      const given = payload === undefined ? {} : { payload }
      const response = await app.inject({ method: 'POST', url, headers: host, cookies: jar, ...given })
      for (const { name, value } of response.cookies) {
        if (value === '') delete jar[name]
        else jar[name] = value
      }
      return response.statusCode
    }
    const sessions = () => Object.keys(jar).filter((name) => !isDeviceCookie(name))
    expect(await ask(one, '/api/auth/register', body)).toBe(201)
    // Nobody is signed in at the other yet, and asking changes nothing.
    expect(await ask(other, '/api/auth/refresh')).toBe(401)
    expect(await ask(other, '/api/auth/logout', {})).toBe(204)
    expect(await ask(other, '/api/auth/register', body)).toBe(201)
    expect(sessions()).toHaveLength(2)
    for (const server of [one, other, one, other]) expect(await ask(server, '/api/auth/refresh')).toBe(200)
    expect(sessions()).toHaveLength(2)
    expect(await ask(other, '/api/auth/logout', {})).toBe(204)
    expect([await ask(other, '/api/auth/refresh'), await ask(one, '/api/auth/refresh')]).toEqual([401, 200])
    expect(sessions()).toEqual(['t69_refresh'])
  })

  it('is cleared on signing out, and when it is no longer valid', async () => {
    const { harness, cookie, refresh } = await signedUp()
    await using _ = harness
    const cookies = { [cookie.name]: cookie.value }
    const out = await harness.app.inject({ method: 'POST', url: '/api/auth/logout', headers: host, cookies })
    expect(out.statusCode).toBe(204)
    expect(out.cookies[0]).toMatchObject({ name: cookie.name, value: '' })
    const response = await refresh({})
    expect(response.statusCode).toBe(401)
    expect(response.cookies[0]).toMatchObject({ name: cookie.name, value: '' })
  })
})

describe('a device that is known', () => {
  const limits = { SIGN_IN_LIMIT_PER_ACCOUNT: '3', SIGN_IN_LIMIT_PER_ADDRESS: '12' }
  const register = { email: 'anna@example.org', password, name: 'Anna', session: 'cookie' }

  /** Anna signs up in her browser and out again. Then a stranger at her address uses up all attempts. */
  async function lockedOut() {
    const harness = await createHttpHarness(limits)
    const post = (url: string, payload: object, cookies: Record<string, string> = {}) =>
      harness.app.inject({ method: 'POST', url, payload, cookies })
    const signedUp = await post('/api/auth/register', register)
    const cookies = Object.fromEntries(signedUp.cookies.map(({ name, value }) => [name, value]))
    const deviceCookie = Object.keys(cookies).find(isDeviceCookie) ?? ''
    const out = await post('/api/auth/logout', {}, cookies)
    expect(out.cookies.map(({ name }) => name)).toEqual(['t69_refresh'])
    const signIn = (given: string, device?: string) =>
      post(
        '/api/auth/login',
        { email: 'anna@example.org', password: given, session: 'cookie' },
        device === undefined ? {} : { [deviceCookie]: device },
      )
    for (let guess = 0; guess < 20; guess++) await signIn('a guess')
    expect((await signIn(password)).statusCode).toBe(429)
    return { harness, signIn, post, device: cookies[deviceCookie] ?? '' }
  }

  it('signs in when strangers have used up the attempts of its account and of its address', async () => {
    const { harness, signIn, device } = await lockedOut()
    await using _ = harness
    harness.crowd.isThere = true
    const signedIn = await signIn(password, device)
    expect(signedIn.statusCode).toBe(200)
    expect(signedIn.cookies.map(({ name }) => name)).toEqual(['t69_refresh'])
  })

  it('has its own attempts, which end too', async () => {
    const { harness, signIn, device } = await lockedOut()
    await using _ = harness
    for (let guess = 0; guess < 3; guess++) expect((await signIn('a guess', device)).statusCode).toBe(401)
    expect((await signIn(password, device)).statusCode).toBe(429)
    harness.clock.now += 15 * minute
    expect((await signIn(password, device)).statusCode).toBe(200)
  })

  it('is known for the account that was signed in there only, and by nothing made up', async () => {
    const { harness, signIn, post, device } = await lockedOut()
    await using _ = harness
    harness.clock.now += minute
    const ben = await post('/api/auth/register', { ...register, email: 'ben@example.org' })
    const ofBen = ben.cookies.find(({ name }) => isDeviceCookie(name))?.value
    const [user, id] = device.split('.')
    const [, other, signature] = (ofBen ?? '').split('.')
    for (const madeUp of [ofBen, `${user}.${id}.${signature}`, `${user}.${other}.${signature}`, 'x'])
      expect((await signIn(password, madeUp)).statusCode).toBe(429)
  })
})

describe('who may sign up', () => {
  const mode = async ({ anonymous }: HttpHarness) => (await anonymous('GET', '/api/auth/registration')).body
  const register = (harness: HttpHarness, name: string, invite?: string) =>
    harness.anonymous('POST', '/api/auth/register', {
      email: `${name}@example.org`,
      password,
      name,
      ...(invite !== undefined && { invite }),
    })
  const refused = (code: string) => ({ body: { error: { code } } })

  it('is whoever comes first, and then who has an invite, by default', async () => {
    await using harness = await createHttpHarness({ REGISTRATION: '' })
    expect(await mode(harness)).toMatchObject({ mode: 'invite', hasAccounts: false })
    expect((await register(harness, 'anna')).status).toBe(201)
    expect(await mode(harness)).toMatchObject({ mode: 'invite', hasAccounts: true })
    expect(await register(harness, 'ben')).toMatchObject({
      status: 403,
      body: {
        error: { code: 'forbidden', at: 'invite', message: expect.stringContaining('by invite only') },
      },
    })
    expect(await register(harness, 'ben', 'made-up')).toMatchObject({ status: 404, ...refused('not_found') })
    // Nor does a stranger learn who has an account.
    expect(await register(harness, 'anna')).toMatchObject(refused('forbidden'))
  })

  it('is one person for each invite to the server, while it lasts', async () => {
    await using harness = await createHttpHarness({ REGISTRATION: 'invite' })
    await register(harness, 'anna')
    const { serverInvites } = harness.platform
    const { token } = serverInvites.add(harness.clock.now)
    expect(await register(harness, 'anna', token)).toMatchObject(refused('already_exists'))
    expect((await register(harness, 'ben', token)).status).toBe(201)
    expect(await register(harness, 'cleo', token)).toMatchObject(refused('invite_expired'))
    const late = serverInvites.add(harness.clock.now)
    const rival = serverInvites.add(harness.clock.now)
    const both = await Promise.all(['dora', 'emil'].map((name) => register(harness, name, rival.token)))
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([201, 410]))
    harness.clock.now = late.expiresAt
    expect(await register(harness, 'cleo', late.token)).toMatchObject(refused('invite_expired'))
  })

  it('is anyone with an invite to a space, as long as that lets people in, and joins by accepting it', async () => {
    await using harness = await createHttpHarness({ REGISTRATION: 'invite' })
    const anna = await harness.signUp('Anna')
    const id = harness.space(anna)
    const invite = async () => {
      const { body } = await anna.call('POST', `/api/spaces/${id}/invites`, { role: 'editor' })
      return inviteSchema.parse(body)
    }
    const { token, id: inviteId } = await invite()
    for (const name of ['ben', 'cleo']) expect((await register(harness, name, token)).status).toBe(201)
    const ben = await harness.anonymous('POST', '/api/auth/login', { email: 'ben@example.org', password })
    const call = harness.withToken(sessionSchema.parse(ben.body).accessToken)
    expect((await call('GET', '/api/spaces')).body).toEqual({ spaces: [] })
    expect((await call('POST', `/api/invites/${token}/accept`)).status).toBe(200)
    await anna.call('DELETE', `/api/spaces/${id}/invites/${inviteId}`)
    expect(await register(harness, 'dora', token)).toMatchObject(refused('invite_expired'))
    const late = await invite()
    harness.clock.now = late.expiresAt
    expect(await register(harness, 'dora', late.token)).toMatchObject(refused('invite_expired'))
  })

  it('is only one of two who come first at once', async () => {
    await using harness = await createHttpHarness({ REGISTRATION: 'invite' })
    const both = await Promise.all(['anna', 'ben'].map((name) => register(harness, name)))
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([201, 403]))
  })

  it('is whom the operator has chosen by a command, whatever the setting says, until that is taken back', async () => {
    await using harness = await createHttpHarness({ REGISTRATION: 'open' })
    const { registrationChoice } = harness.platform
    registrationChoice.choose('closed', harness.clock.now)
    expect(await mode(harness)).toMatchObject({ mode: 'closed', hasAccounts: false })
    expect(await register(harness, 'anna')).toMatchObject({ status: 403, ...refused('forbidden') })
    registrationChoice.choose('invite', harness.clock.now)
    expect((await register(harness, 'anna')).status).toBe(201)
    expect(await register(harness, 'ben')).toMatchObject({ status: 403, ...refused('forbidden') })
    registrationChoice.takeBack()
    expect(await mode(harness)).toMatchObject({ mode: 'open', hasAccounts: true })
    expect((await register(harness, 'ben')).status).toBe(201)
  })

  it('is nobody whose password is being hashed when the operator closes the door', async () => {
    await using harness = await createHttpHarness({ REGISTRATION: 'open' })
    const { registration, registrationChoice, users } = harness.platform
    const ticket = { setting: 'open', isReturning: false } as const
    expect(() => registration.check(ticket, harness.clock.now)).not.toThrow()
    registrationChoice.choose('closed', harness.clock.now)
    const user = {
      id: userIdSchema.parse('a'.repeat(32)),
      email: 'a@example.org',
      name: 'A',
      passwordHash: 'x',
    }
    expect(() => registration.add(user, ticket, harness.clock.now)).toThrow('takes no new accounts')
    expect(users.exist()).toBe(false)
  })

  it('is nobody where registration is closed, and anyone where it is open', async () => {
    await using closed = await createHttpHarness({ REGISTRATION: 'closed' })
    expect(await mode(closed)).toMatchObject({ mode: 'closed', hasAccounts: false })
    const { token } = closed.platform.serverInvites.add(closed.clock.now)
    expect(await register(closed, 'anna', token)).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden', message: 'This server takes no new accounts' } },
    })
    await using open = await createHttpHarness({ REGISTRATION: 'open' })
    for (const name of ['anna', 'ben']) expect((await register(open, name)).status).toBe(201)
    expect((await register(open, 'cleo', 'made-up')).status).toBe(201)
  })
})

describe('limits on signing in', () => {
  it('lets every user of an address renew after its requests are used up, and limits guesses', async () => {
    await using harness = await createHttpHarness({
      REQUEST_LIMIT_PER_ADDRESS: '2',
      REQUEST_LIMIT_PER_USER: '3',
    })
    const people = [await harness.signUp('Anna'), await harness.signUp('Ben'), await harness.signUp('Cleo')]
    const renew = (refreshToken: string) => harness.anonymous('POST', '/api/auth/refresh', { refreshToken })
    expect((await renew('guess')).status).toBe(401)
    expect((await renew('guess')).status).toBe(401)
    expect((await renew('guess')).status).toBe(429)
    for (const person of people) {
      expect((await renew(person.session.refreshToken!)).status).toBe(200)
      for (let count = 0; count < 3; count++) expect((await person.call('GET', '/api/me')).status).toBe(200)
      expect((await person.call('GET', '/api/me')).status).toBe(429)
    }
  })

  it('counts the renewals of all devices of one user together', async () => {
    await using harness = await createHttpHarness({ REQUEST_LIMIT_PER_USER: '3' })
    const anna = await harness.signUp('Anna')
    const login = { email: 'anna@example.org', password }
    const phone = sessionSchema.parse((await harness.anonymous('POST', '/api/auth/login', login)).body)
    const outcomes: number[] = []
    for (const { refreshToken } of [anna.session, phone, anna.session, phone]) {
      outcomes.push((await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })).status)
    }
    expect(outcomes).toEqual([200, 200, 200, 429])
  })

  it('counts sign-ins and sign-ups of one address together', async () => {
    await using harness = await createHttpHarness({ SIGN_IN_LIMIT_PER_ADDRESS: '3' })
    await harness.signUp('Anna')
    const login = { email: 'anna@example.org', password }
    expect((await harness.anonymous('POST', '/api/auth/login', login)).status).toBe(200)
    expect((await harness.anonymous('POST', '/api/auth/login', login)).status).toBe(200)
    const response = await harness.app.inject({ method: 'POST', url: '/api/auth/login', payload: login })
    expect(response.statusCode).toBe(429)
    const { error } = response.json<{ error: { code: string; retryAfterMs: number } }>()
    expect(error.code).toBe('rate_limited')
    expect(error.retryAfterMs).toBeGreaterThan(0)
    expect(Number(response.headers['retry-after'])).toBe(Math.ceil(error.retryAfterMs / 1000))
  })

  it('do not count what the server’s own storage fails at', async () => {
    await using harness = await createHttpHarness({
      SIGN_IN_LIMIT_PER_ACCOUNT: '2',
      SIGN_IN_LIMIT_PER_ADDRESS: '2',
    })
    const anna = await harness.signUp('Anna')
    const account = { email: 'anna@example.org', password }
    const attempts = [
      () => harness.anonymous('POST', '/api/auth/login', account),
      () =>
        harness.anonymous('POST', '/api/auth/register', { ...account, email: 'ben@example.org', name: 'B' }),
      () => anna.call('POST', '/api/auth/change-password', { password, newPassword: password }),
      () => anna.call('POST', '/api/auth/delete-account', { password }),
    ]
    const other = new Sqlite(join(harness.dataDir, 'platform.sqlite'))
    other.exec('begin immediate')
    for (const attempt of attempts) {
      for (let count = 0; count < 3; count++)
        expect(await attempt()).toMatchObject({ status: 503, body: { error: { code: 'storage_failed' } } })
    }
    other.close()
    expect((await harness.anonymous('POST', '/api/auth/login', account)).status).toBe(200)
    expect(
      (await anna.call('POST', '/api/auth/change-password', { password, newPassword: password })).status,
    ).toBe(200)
  })

  it('cannot be avoided with a valid access token', async () => {
    await using harness = await createHttpHarness({ SIGN_IN_LIMIT_PER_ADDRESS: '2' })
    const anna = await harness.signUp('Anna')
    const guess = { email: 'ben@example.org', password: 'a guess' }
    expect((await anna.call('POST', '/api/auth/login', guess)).status).toBe(401)
    expect((await anna.call('POST', '/api/auth/login', guess)).status).toBe(429)
  })

  it('limits guesses at one account from any address, and leaves other accounts alone', async () => {
    await using harness = await createHttpHarness({ SIGN_IN_LIMIT_PER_ACCOUNT: '2', TRUST_PROXY: 'true' })
    await harness.signUp('Anna')
    await harness.signUp('Ben')
    const attempt = (email: string, address: number) =>
      harness.app.inject({
        method: 'POST',
        url: '/api/auth/login',
        headers: { 'x-forwarded-for': `192.0.2.${address}` },
        payload: { email, password: 'a guess' },
      })
    expect((await attempt('anna@example.org', 1)).statusCode).toBe(401)
    expect((await attempt('Anna@example.org', 2)).statusCode).toBe(401)
    expect((await attempt('anna@example.org', 3)).json()).toMatchObject({ error: { code: 'rate_limited' } })
    expect((await attempt('ben@example.org', 3)).statusCode).toBe(401)
  })
})
