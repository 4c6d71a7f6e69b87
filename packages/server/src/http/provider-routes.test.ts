import {
  passkeyCreationSchema,
  passkeyRequestSchema,
  providerVisitSchema,
  registrationSchema,
  sessionSchema,
  type VisitProvider,
  waysToSignInSchema,
} from '@t69/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { createAuthenticator } from '../testing/authenticator.ts'
import { createHttpHarness, password, type HttpHarness, type Person } from '../testing/http-harness.ts'
import { openIdentityProvider, type IdentityProvider } from '../testing/identity-provider.ts'
import { openMailbox } from '../testing/mailbox.ts'

const publicUrl = 'https://t69.example/chat'
const annas = { sub: 'anna-1', email: 'Anna@Example.org', email_verified: true, name: 'Anna of Example' }
const newPassword = 'a much better horse'

let provider: IdentityProvider
beforeAll(async () => {
  provider = await openIdentityProvider(publicUrl)
})
afterAll(async () => provider[Symbol.asyncDispose]())
beforeEach(() => {
  Object.assign(provider, { signsIn: annas, declines: false, isDown: false })
})

/** As the server writes it. */
const issuer = () => new URL(provider.env.OIDC_ISSUER).href
const open = (env: Record<string, string> = {}) =>
  createHttpHarness({ ...provider.env, PUBLIC_URL: publicUrl, ...env })

/** A browser with its cookies, which are for the routes of signing in. */
function browserOf({ app }: HttpHarness, token?: string) {
  const cookies: Record<string, string> = {}
  async function call(method: 'GET' | 'POST', url: string, body?: object, headers: object = {}) {
    const reply = await app.inject({
      method,
      url,
      ...(url.startsWith('/api/auth/') && { cookies }),
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
      ...(body !== undefined && { payload: body }),
    })
    for (const { name, value } of reply.cookies) cookies[name] = value
    const text = reply.body
    return {
      status: reply.statusCode,
      headers: reply.headers,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    }
  }
  async function start(why: VisitProvider) {
    return providerVisitSchema.parse((await call('POST', '/api/auth/provider', why)).body).url
  }
  /** Follows the address with which the provider sends the browser back. Returns where that leads. */
  async function comeBack(address: string) {
    const reply = await call('GET', address.replace(publicUrl, ''))
    expect(reply.status).toBe(303)
    return reply.headers.location
  }
  async function visit(why: VisitProvider) {
    return comeBack(await provider.visit(await start(why)))
  }
  async function signIn(why: { readonly invite?: string; readonly seals?: string[] } = {}) {
    const { seals = [], ...rest } = why
    expect(await visit({ purpose: 'sign-in', ...rest })).toBe(`${publicUrl}/#provider=returned`)
    return call('POST', '/api/auth/provider/sign-in', { seals })
  }
  return { cookies, call, start, comeBack, visit, signIn }
}

/** A browser of somebody who is signed in. */
const browserOfPerson = (harness: HttpHarness, person: Pick<Person, 'session'>) =>
  browserOf(harness, person.session.accessToken)

const refusal = (status: number, code: string, message: unknown = expect.any(String)) => ({
  status,
  body: { error: { code, message } },
})

/** Proves the address of an account as a mail does. */
async function prove(harness: HttpHarness, { user }: Pick<Person, 'user'>): Promise<void> {
  const { token } = harness.platform.passwordLinks.addMailed(user.id, harness.clock.now)
  const reply = await harness.anonymous('POST', '/api/auth/password-link', { token, newPassword })
  expect(reply.status).toBe(200)
}

describe('signing in through a provider', () => {
  it('makes an account with the verified address, and enters it from then on, whatever the address is', async () => {
    await using harness = await open()
    const first = sessionSchema.parse((await browserOf(harness).signIn()).body)
    expect(first.user).toMatchObject({ email: 'anna@example.org', name: 'Anna of Example' })
    provider.signsIn = { ...annas, email: 'elsewhere@example.org', email_verified: false }
    const again = sessionSchema.parse((await browserOf(harness).signIn()).body)
    expect(again.user).toEqual(first.user)
    expect(again.refreshToken).not.toBe(first.refreshToken)
    const ways = await harness.withToken(again.accessToken)('GET', '/api/me/ways-to-sign-in')
    expect(waysToSignInSchema.parse(ways.body)).toEqual({
      hasPassword: false,
      canChangeAddress: false,
      provider: { name: 'Example', isConnected: true },
      passkeys: 0,
    })
    const actions = harness.platform.audit.ofUser(first.user.id, 5).map(({ action }) => action)
    expect(actions).toEqual(['connected with the provider', 'account created'])
  })

  it('makes no account with an address that the provider has not verified', async () => {
    await using harness = await open()
    provider.signsIn = { ...annas, email_verified: false }
    expect(await browserOf(harness).signIn()).toMatchObject(
      refusal(403, 'forbidden', expect.stringContaining('not verified')),
    )
    expect(harness.platform.users.exist()).toBe(false)
  })

  it('enters no account whose address nobody has proven: somebody else may have signed up with it', async () => {
    await using harness = await open()
    const thief = await harness.signUp('Anna')
    expect(await browserOf(harness).signIn()).toMatchObject(
      refusal(409, 'already_exists', expect.stringContaining('password')),
    )
    expect(harness.platform.identities.userOf({ issuer: issuer(), subject: 'anna-1' })).toBeUndefined()
    expect((await thief.call('GET', '/api/me')).status).toBe(200)
  })

  it('enters an account whose address was proven, and connects it', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    await prove(harness, anna)
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user).toEqual(anna.user)
    // Whoever has the address at the provider afterwards is somebody else.
    provider.signsIn = { ...annas, sub: 'anna-2' }
    expect(await browserOf(harness).signIn()).toMatchObject(
      refusal(409, 'already_exists', expect.stringContaining('somebody else')),
    )
  })

  it('leaves whoever signed up with the address before its owner nothing: no session, and no connection', async () => {
    await using harness = await open()
    // Somebody signs up with Anna's address, and connects the account with themselves.
    const thief = await harness.signUp('Anna')
    provider.signsIn = { ...annas, sub: 'thief', email: 'thief@example.org' }
    const thiefs = browserOfPerson(harness, thief)
    expect(await thiefs.visit({ purpose: 'connect', password })).toContain('#provider=returned')
    expect((await thiefs.call('POST', '/api/auth/provider/connect')).status).toBe(204)
    expect((await browserOf(harness).signIn()).status).toBe(200)

    provider.signsIn = annas
    expect((await browserOf(harness).signIn()).status).toBe(409)
    await prove(harness, thief)
    expect((await thief.call('GET', '/api/me')).status).toBe(401)
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user.id).toBe(thief.user.id)
    provider.signsIn = { ...annas, sub: 'thief', email: 'thief@example.org' }
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user.id).not.toBe(thief.user.id)
  })

  it('lets in whom registration lets in, and those who have an account', async () => {
    await using harness = await open({ REGISTRATION: 'invite' })
    // The first account of a server needs no invite.
    expect((await browserOf(harness).signIn()).status).toBe(200)
    provider.signsIn = { ...annas, sub: 'ben', email: 'ben@example.org' }
    expect(await browserOf(harness).signIn()).toMatchObject(
      refusal(403, 'forbidden', expect.stringContaining('by invite only')),
    )
    const { token: invite } = harness.platform.serverInvites.add(harness.clock.now)
    expect((await browserOf(harness).signIn({ invite })).status).toBe(200)
    provider.signsIn = { ...annas, sub: 'carl', email: 'carl@example.org' }
    expect((await browserOf(harness).signIn({ invite })).status).toBe(410)
    // Whoever has an account needs no invite, and may come with one that is used up.
    provider.signsIn = annas
    expect((await browserOf(harness).signIn({ invite })).status).toBe(200)
    harness.platform.registrationChoice.choose('closed', harness.clock.now)
    provider.signsIn = { ...annas, sub: 'carl', email: 'carl@example.org' }
    expect((await browserOf(harness).signIn()).status).toBe(403)
    provider.signsIn = annas
    expect((await browserOf(harness).signIn()).status).toBe(200)
  })

  it('brings back an account that the server has lost, for a device that has its seal', async () => {
    await using harness = await open({ JWT_SECRET: 'a secret that two servers have in common' })
    const before = sessionSchema.parse((await browserOf(harness).signIn()).body)
    await using restored = await open({ JWT_SECRET: 'a secret that two servers have in common' })
    const after = sessionSchema.parse(
      (await browserOf(restored).signIn({ seals: ['no seal', before.seal] })).body,
    )
    expect(after.user).toEqual(before.user)
  })

  it('is offered with its name, and not where there is no provider', async () => {
    await using harness = await open()
    const offer = async (of: HttpHarness) =>
      registrationSchema.parse((await of.anonymous('GET', '/api/auth/registration')).body).provider
    expect(await offer(harness)).toEqual({ name: 'Example' })
    await using without = await createHttpHarness()
    expect(await offer(without)).toBeUndefined()
    const { anonymous } = without
    expect(await anonymous('POST', '/api/auth/provider', { purpose: 'sign-in' })).toMatchObject(
      refusal(404, 'not_found'),
    )
    expect((await anonymous('GET', '/api/auth/provider/callback')).status).toBe(404)
    expect((await anonymous('POST', '/api/auth/provider/sign-in', {})).status).toBe(404)
  })
})

describe('a visit to the provider', () => {
  const failed = `${publicUrl}/#provider=failed`

  it('ends only in the browser that began it, with the state that it began with, and once', async () => {
    await using harness = await open()
    const browser = browserOf(harness)
    const back = await provider.visit(await browser.start({ purpose: 'sign-in' }))
    expect(await browserOf(harness).comeBack(back)).toBe(failed)
    const forged = new URL(back)
    forged.searchParams.set('state', 'forged')
    expect(await browser.comeBack(forged.href)).toBe(failed)
    expect((await browser.call('POST', '/api/auth/provider/sign-in', {})).status).toBe(403)

    // A forged answer does not end the visit, and what came of it works once.
    expect(await browser.comeBack(back)).toBe(`${publicUrl}/#provider=returned`)
    const kept = { ...browser.cookies }
    expect(await browser.comeBack(back)).toBe(failed)
    expect((await browser.call('POST', '/api/auth/provider/sign-in', {})).status).toBe(200)
    Object.assign(browser.cookies, kept)
    expect((await browser.call('POST', '/api/auth/provider/sign-in', {})).status).toBe(403)
  })

  it('takes a code once', async () => {
    await using harness = await open()
    const browser = browserOf(harness)
    const back = await provider.visit(await browser.start({ purpose: 'sign-in' }))
    const away = { ...browser.cookies }
    await browser.comeBack(back)
    Object.assign(browser.cookies, away)
    expect(await browser.comeBack(back)).toBe(failed)
    expect(harness.warnings).toContainEqual({ reason: expect.stringContaining('invalid_grant') })
  })

  it('is over after a quarter of an hour, and what came of it after five minutes', async () => {
    await using harness = await open()
    const slow = browserOf(harness)
    const back = await provider.visit(await slow.start({ purpose: 'sign-in' }))
    harness.clock.now += 15 * 60_000
    expect(await slow.comeBack(back)).toBe(failed)
    const browser = browserOf(harness)
    await browser.visit({ purpose: 'sign-in' })
    harness.clock.now += 5 * 60_000
    expect((await browser.call('POST', '/api/auth/provider/sign-in', {})).status).toBe(403)
  })

  it('is in a cookie that scripts cannot read, for the routes of signing in, and that nobody can make', async () => {
    await using harness = await open()
    const reply = await harness.app.inject({
      method: 'POST',
      url: '/api/auth/provider',
      payload: { purpose: 'sign-in' },
    })
    const [cookie] = reply.cookies
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/chat/api/auth' })
    const [content = '', signature = ''] = cookie!.value.split('.')
    const claims = JSON.parse(Buffer.from(content, 'base64url').toString()) as object
    const visit = {
      state: 'returned',
      id: 'x',
      why: { purpose: 'sign-in' },
      person: { issuer: 'i', subject: 's', name: '' },
      startedAt: 1,
    }
    const made = Buffer.from(JSON.stringify({ ...claims, content: visit })).toString('base64url')
    const used = await harness.app.inject({
      method: 'POST',
      url: '/api/auth/provider/sign-in',
      cookies: { [cookie!.name]: `${made}.${signature}` },
      payload: {},
    })
    expect(used.statusCode).toBe(403)
  })

  it('is of use to pages of this server only', async () => {
    await using harness = await open()
    const browser = browserOf(harness)
    await browser.visit({ purpose: 'sign-in' })
    const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'same-site' }
    expect((await browser.call('POST', '/api/auth/provider/sign-in', {}, evil)).status).toBe(403)
    expect((await browser.call('POST', '/api/auth/provider/sign-in', {})).status).toBe(200)
  })

  it('may be declined', async () => {
    await using harness = await open()
    provider.declines = true
    expect(await browserOf(harness).visit({ purpose: 'sign-in' })).toBe(`${publicUrl}/#provider=declined`)
  })

  it('cannot begin while the provider is down, which the server says and survives', async () => {
    await using down = await openIdentityProvider(publicUrl)
    down.isDown = true
    await using harness = await createHttpHarness({ ...down.env, PUBLIC_URL: publicUrl })
    const asked = () => browserOf(harness).call('POST', '/api/auth/provider', { purpose: 'sign-in' })
    expect(await asked()).toMatchObject(
      refusal(503, 'unavailable', expect.stringContaining('Example cannot be reached')),
    )
    down.isDown = false
    expect((await asked()).status).toBe(200)
  })
})

describe('connecting an account with a provider', () => {
  it('takes the password, and proves an address that both have', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const browser = browserOfPerson(harness, anna)
    const wrong = { purpose: 'connect', password: 'guessed' }
    expect(await browser.call('POST', '/api/auth/provider', wrong)).toMatchObject(
      refusal(401, 'wrong_credentials'),
    )
    expect(await browserOf(harness).call('POST', '/api/auth/provider', { ...wrong, password })).toMatchObject(
      refusal(401, 'unauthenticated'),
    )
    expect(await browser.visit({ purpose: 'connect', password })).toContain('returned')
    // It is for connecting, and for this session.
    expect((await browser.call('POST', '/api/auth/provider/sign-in', {})).status).toBe(403)
    const ben = browserOfPerson(harness, await harness.signUp('Ben'))
    Object.assign(ben.cookies, browser.cookies)
    expect((await ben.call('POST', '/api/auth/provider/connect')).status).toBe(403)
    expect((await browser.call('POST', '/api/auth/provider/connect')).status).toBe(204)
    expect(harness.platform.provenAddresses.has(anna.user.id)).toBe(true)
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user).toEqual(anna.user)
  })

  it('is mailed to the owner of the account, also when the address alone has connected them', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open({ SMTP_URL: mailbox.url, MAIL_FROM: 't69@example.org' })
    const anna = await harness.signUp('Anna')
    await prove(harness, anna)
    const entered = mailbox.next('another way into your t69 account')
    await browserOf(harness).signIn()
    expect(await entered).toContain('was connected with Example:')

    const ben = browserOfPerson(harness, await harness.signUp('Ben'))
    provider.signsIn = { ...annas, sub: 'ben-1', email: 'ben@elsewhere.example' }
    const connected = mailbox.next('To: ben@example.org')
    await ben.visit({ purpose: 'connect', password })
    await ben.call('POST', '/api/auth/provider/connect')
    expect(await connected).toContain('another way into your t69 account')
  })

  it('ends when the password is changed, since whoever knew it may have connected the account with themselves', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    provider.signsIn = { sub: 'mallory', email: 'mallory@example.org', email_verified: true, name: 'Mallory' }
    const mallorys = browserOfPerson(harness, anna)
    await mallorys.visit({ purpose: 'connect', password })
    expect((await mallorys.call('POST', '/api/auth/provider/connect')).status).toBe(204)
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user).toEqual(anna.user)
    const changed = await anna.call('POST', '/api/auth/change-password', { password, newPassword })
    expect(changed.status).toBe(200)
    const entered = sessionSchema.safeParse((await browserOf(harness).signIn()).body)
    expect(entered.data?.user.id).not.toBe(anna.user.id)
  })

  it('is refused for somebody who has another account, and proves no other address', async () => {
    await using harness = await open()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const bens = browserOfPerson(harness, ben)
    await bens.visit({ purpose: 'connect', password })
    expect((await bens.call('POST', '/api/auth/provider/connect')).status).toBe(204)
    expect(harness.platform.provenAddresses.has(ben.user.id)).toBe(false)
    const browser = browserOfPerson(harness, anna)
    await browser.visit({ purpose: 'connect', password })
    expect(await browser.call('POST', '/api/auth/provider/connect')).toMatchObject(
      refusal(409, 'already_exists'),
    )
  })
})

describe('ending what connects an account with the provider', () => {
  const path = '/api/auth/provider/disconnect'
  async function connected(harness: HttpHarness) {
    const anna = await harness.signUp('Anna')
    const browser = browserOfPerson(harness, anna)
    await browser.visit({ purpose: 'connect', password })
    expect((await browser.call('POST', '/api/auth/provider/connect')).status).toBe(204)
    return { anna, browser }
  }

  it('takes the password, and leaves sessions and passkeys as they are', async () => {
    await using harness = await open()
    const { anna } = await connected(harness)
    const key = { id: 'k', publicKey: new Uint8Array(8), counter: 0, name: 'Laptop', rpId: 't69.example' }
    harness.platform.passkeys.add(anna.user.id, key, 1)
    for (const body of [{}, { password: 'guessed' }]) {
      expect(await anna.call('POST', path, body)).toMatchObject(refusal(401, 'wrong_credentials'))
    }
    expect((await anna.call('POST', path, { password })).status).toBe(204)
    const ways = waysToSignInSchema.parse((await anna.call('GET', '/api/me/ways-to-sign-in')).body)
    expect(ways.provider?.isConnected).toBe(false)
    expect(ways.passkeys).toBe(1)
    expect(await anna.call('POST', path, { password })).toMatchObject(refusal(404, 'not_found'))
    const actions = harness.platform.audit.ofUser(anna.user.id, 5).map(({ action }) => action)
    expect(actions).toEqual([
      'disconnected from the provider',
      'connected with the provider',
      'account created',
    ])
  })

  it('holds although the address was proven, until the owner connects the account again', async () => {
    await using harness = await open()
    const { anna, browser } = await connected(harness)
    expect(harness.platform.provenAddresses.has(anna.user.id)).toBe(true)
    await anna.call('POST', path, { password })
    expect(await browserOf(harness).signIn()).toMatchObject(
      refusal(409, 'already_exists', expect.stringContaining('ended')),
    )
    await browser.visit({ purpose: 'connect', password })
    expect((await browser.call('POST', '/api/auth/provider/connect')).status).toBe(204)
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user).toEqual(anna.user)
    // Another password ends the connection as well, but not as its owner's wish.
    await prove(harness, anna)
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user).toEqual(anna.user)
  })

  it('is refused where it is the last way to sign in, and a passkey is another one', async () => {
    await using harness = await open()
    harness.clock.now = Date.now()
    const session = sessionSchema.parse((await browserOf(harness).signIn()).body)
    const browser = browserOf(harness, session.accessToken)
    const { call } = browser
    await browser.visit({ purpose: 'confirm' })
    const last = refusal(403, 'forbidden', expect.stringContaining('could not sign in any more'))
    expect(await call('POST', path, {})).toMatchObject(last)
    expect(harness.platform.identities.has(session.user.id, issuer())).toBe(true)

    // A fresh visit to the provider adds a passkey, which then ends the connection.
    await browser.visit({ purpose: 'confirm' })
    const creation = passkeyCreationSchema.parse((await call('POST', '/api/auth/passkeys/creation', {})).body)
    const authenticator = createAuthenticator('https://t69.example')
    const made = authenticator.create(creation)
    expect((await call('POST', '/api/auth/passkeys', { name: 'Phone', passkey: made })).status).toBe(201)
    const confirmation = async () => {
      const asked = await call('POST', '/api/auth/passkeys/challenge', { purpose: 'confirm' })
      return { passkey: authenticator.get(passkeyRequestSchema.parse(asked.body)) }
    }
    expect((await call('POST', path, await confirmation())).status).toBe(204)
    const removal = { id: made.id, ...(await confirmation()) }
    expect(await call('POST', '/api/auth/passkeys/remove', removal)).toMatchObject(last)
    expect(harness.platform.passkeys.ofUser(session.user.id)).toHaveLength(1)

    // One that works at another host name only is no way in, and may go.
    const stale = { id: 'old', publicKey: new Uint8Array(8), counter: 0, name: 'Old', rpId: 'old.example' }
    harness.platform.passkeys.add(session.user.id, stale, 1)
    expect(await call('POST', '/api/auth/passkeys/remove', removal)).toMatchObject(
      refusal(401, 'wrong_credentials'),
    )
    expect(
      await call('POST', '/api/auth/passkeys/remove', { ...removal, ...(await confirmation()) }),
    ).toMatchObject(last)
    const goes = { id: 'old', ...(await confirmation()) }
    expect((await call('POST', '/api/auth/passkeys/remove', goes)).status).toBe(204)
  })
})

describe('an account without a password', () => {
  /** An account of the provider, with its browser. */
  async function enter(harness: HttpHarness) {
    const session = sessionSchema.parse((await browserOf(harness).signIn()).body)
    return { session, user: session.user, browser: browserOf(harness, session.accessToken) }
  }
  const login = ({ anonymous }: HttpHarness, given: string) =>
    anonymous('POST', '/api/auth/login', { email: 'anna@example.org', password: given })

  it('cannot be signed in to with any password', async () => {
    await using harness = await open()
    const { browser } = await enter(harness)
    for (const given of ['', 'guessed']) expect((await login(harness, given)).status).toBe(401)
    for (const body of [{ newPassword }, { newPassword, password: '' }]) {
      const reply = await browser.call('POST', '/api/auth/change-password', body)
      expect([401, 403]).toContain(reply.status)
    }
    expect((await browser.call('POST', '/api/auth/delete-account', {})).status).toBe(403)
  })

  it('gets one, or is deleted, once its owner has signed in to the provider again', async () => {
    await using harness = await open()
    const { browser, session, user } = await enter(harness)
    const since = Date.now()
    harness.clock.now = since
    const fresh = sessionSchema.parse((await browserOf(harness).signIn()).body)
    const confirming = browserOf(harness, fresh.accessToken)
    expect(await confirming.visit({ purpose: 'confirm' })).toContain('returned')
    const changed = await confirming.call('POST', '/api/auth/change-password', { newPassword })
    expect(changed.status).toBe(200)
    expect((await harness.withToken(session.accessToken)('GET', '/api/me')).status).toBe(401)
    expect((await login(harness, newPassword)).status).toBe(200)

    // It has a password now, and a visit does not stand for it.
    const next = browserOf(harness, sessionSchema.parse(changed.body).accessToken)
    await next.visit({ purpose: 'confirm' })
    expect((await next.call('POST', '/api/auth/delete-account', {})).status).toBe(401)
    expect((await next.call('POST', '/api/auth/delete-account', { password: newPassword })).status).toBe(204)
    expect(harness.platform.users.byId(user.id)).toBeUndefined()
    expect(browser.cookies).toBeDefined()
  })

  it('is deleted with what connects it, so that signing in makes another one', async () => {
    await using harness = await open()
    harness.clock.now = Date.now()
    const { browser, user } = await enter(harness)
    await browser.visit({ purpose: 'confirm' })
    expect((await browser.call('POST', '/api/auth/delete-account', {})).status).toBe(204)
    const after = sessionSchema.parse((await browserOf(harness).signIn()).body)
    expect(after.user.id).not.toBe(user.id)
  })

  it('is not confirmed by somebody else, or by having signed in there long ago', async () => {
    await using harness = await open()
    harness.clock.now = Date.now()
    const { browser } = await enter(harness)
    provider.signsIn = { ...annas, sub: 'ben', email: 'ben@example.org' }
    await browser.visit({ purpose: 'confirm' })
    expect(await browser.call('POST', '/api/auth/delete-account', {})).toMatchObject(
      refusal(401, 'wrong_credentials'),
    )
    // The provider's clock says that the person signed in minutes before the visit began.
    provider.signsIn = annas
    harness.clock.now += 3 * 60_000
    await browser.visit({ purpose: 'confirm' })
    expect(await browser.call('POST', '/api/auth/delete-account', {})).toMatchObject(
      refusal(401, 'wrong_credentials'),
    )
  })

  it('gets another address once its owner has signed in to the provider again, and is entered as before', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open({ SMTP_URL: mailbox.url, MAIL_FROM: 't69@example.org' })
    harness.clock.now = Date.now()
    const { browser, user } = await enter(harness)
    const path = '/api/auth/change-address'
    const body = { email: 'anna@home.example' }
    expect((await browser.call('POST', path, body)).status).toBe(403)
    await browser.visit({ purpose: 'confirm' })
    const mail = mailbox.next()
    expect((await browser.call('POST', path, body)).status).toBe(204)
    const token = /#confirm-address=([\w-]+)/.exec(await mail)?.[1]
    expect((await browser.call('POST', `${path}/confirm`, { token })).body).toEqual({ ...user, ...body })
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user).toEqual({ ...user, ...body })
  })

  it('gets a password by a link as well, which ends what connects it until its owner comes again', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open({ SMTP_URL: mailbox.url, MAIL_FROM: 't69@example.org' })
    const { user } = await enter(harness)
    const mail = mailbox.next()
    await harness.anonymous('POST', '/api/auth/forgotten-password', { email: user.email })
    const token = /#set-password=([\w-]+)/.exec(await mail)?.[1]
    expect((await harness.anonymous('POST', '/api/auth/password-link', { token, newPassword })).status).toBe(
      200,
    )
    expect((await login(harness, newPassword)).status).toBe(200)
    expect(harness.platform.identities.has(user.id, issuer())).toBe(false)
    expect(sessionSchema.parse((await browserOf(harness).signIn()).body).user).toEqual(user)
  })
})
