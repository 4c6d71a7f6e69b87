import {
  limits,
  passkeyCreationSchema,
  passkeyListSchema,
  passkeyRequestSchema,
  registrationSchema,
  sessionSchema,
  waysToSignInSchema,
} from '@t69/protocol'
import { describe, expect, it, vi } from 'vitest'

import { type Authenticator, createAuthenticator, type Oddities } from '../testing/authenticator.ts'
import { createHttpHarness, type HttpHarness, password, type Person } from '../testing/http-harness.ts'
import { challengeMs } from './passkey-challenges.ts'

const publicUrl = 'https://t69.example/chat'
const origin = 'https://t69.example'
const newPassword = 'a much better horse'

const open = (env: Record<string, string> = {}) => createHttpHarness({ PUBLIC_URL: publicUrl, ...env })

const refusal = (status: number, code: string, message: unknown = expect.any(String)) => ({
  status,
  body: { error: { code, message } },
})
const notFitting = refusal(401, 'wrong_credentials', expect.stringContaining('does not fit'))

async function creationOf({ call }: Pick<Person, 'call'>, proof: object = { password }) {
  return passkeyCreationSchema.parse((await call('POST', '/api/auth/passkeys/creation', proof)).body)
}

async function add(person: Pick<Person, 'call'>, authenticator: Authenticator, name = 'Laptop') {
  const passkey = authenticator.create(await creationOf(person))
  const reply = await person.call('POST', '/api/auth/passkeys', { name, passkey })
  expect(reply.status).toBe(201)
  return passkey.id
}

async function requestOf({ anonymous }: HttpHarness) {
  const reply = await anonymous('POST', '/api/auth/passkeys/challenge', { purpose: 'sign-in' })
  return passkeyRequestSchema.parse(reply.body)
}

async function confirmationOf({ call }: Pick<Person, 'call'>) {
  const reply = await call('POST', '/api/auth/passkeys/challenge', { purpose: 'confirm' })
  return passkeyRequestSchema.parse(reply.body)
}

const enter = ({ anonymous }: HttpHarness, passkey: object) =>
  anonymous('POST', '/api/auth/passkeys/sign-in', { passkey })

async function signIn(harness: HttpHarness, authenticator: Authenticator, oddities: Oddities = {}) {
  return enter(harness, authenticator.get(await requestOf(harness), oddities))
}

async function listOf({ call }: Pick<Person, 'call'>) {
  return passkeyListSchema.parse((await call('GET', '/api/auth/passkeys')).body).passkeys
}

const actionsOf = ({ platform }: HttpHarness, { user }: Person) =>
  platform.audit.ofUser(user.id, 10).map(({ action }) => action)

describe('a passkey', () => {
  it('is added with the password, signs in by itself, and is listed with its uses', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const authenticator = createAuthenticator(origin)
    const creation = await creationOf(anna)
    expect(creation).toMatchObject({
      rp: { id: 't69.example' },
      user: { name: 'anna@example.org', displayName: 'Anna' },
      excludeCredentials: [],
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      attestation: 'none',
    })
    const passkey = authenticator.create(creation)
    const added = await anna.call('POST', '/api/auth/passkeys', { name: '  Laptop ', passkey })
    const createdAt = harness.clock.now
    const listed = { id: passkey.id, name: 'Laptop', createdAt, lastUsedAt: null }
    expect(added).toEqual({ status: 201, body: listed })
    expect(await listOf(anna)).toEqual([listed])
    expect((await creationOf(anna)).excludeCredentials).toEqual([{ id: passkey.id, type: 'public-key' }])

    harness.clock.now += 60_000
    const request = await requestOf(harness)
    expect(request).toMatchObject({ rpId: 't69.example', userVerification: 'required', allowCredentials: [] })
    const session = sessionSchema.parse((await enter(harness, authenticator.get(request))).body)
    expect(session.user).toEqual(anna.user)
    expect(await listOf({ call: harness.withToken(session.accessToken) })).toEqual([
      { ...listed, lastUsedAt: harness.clock.now },
    ])
    expect((await anna.call('GET', '/api/me')).status).toBe(200)
    const ways = waysToSignInSchema.parse((await anna.call('GET', '/api/me/ways-to-sign-in')).body)
    expect(ways).toEqual({ hasPassword: true, canChangeAddress: false, passkeys: 1 })
    expect(actionsOf(harness, anna)).toEqual(['passkey added', 'account created'])
  })

  it('keeps the session in a cookie for whoever asks, with the others as they were', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const authenticator = createAuthenticator(origin)
    await add(anna, authenticator)
    const passkey = authenticator.get(await requestOf(harness))
    const reply = await harness.app.inject({
      method: 'POST',
      url: '/api/auth/passkeys/sign-in',
      payload: { passkey, session: 'cookie' },
    })
    expect(sessionSchema.parse(reply.json()).refreshToken).toBeUndefined()
    expect(reply.cookies.map(({ name }) => name)).toContain('t69_refresh')
    expect(harness.platform.directory.sessionsOf(anna.user.id, harness.clock.now)).toHaveLength(2)
  })

  it('is added by nobody who does not show that the account is theirs', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const path = '/api/auth/passkeys/creation'
    expect(await anna.call('POST', path, {})).toMatchObject(refusal(401, 'wrong_credentials'))
    expect(await anna.call('POST', path, { password: 'guessed' })).toMatchObject(
      refusal(401, 'wrong_credentials'),
    )
    expect(await harness.anonymous('POST', path, { password })).toMatchObject(refusal(401, 'unauthenticated'))
  })

  it('is refused with certificates, which nobody asked for and whose checks would ask other servers', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const authenticator = createAuthenticator(origin)
    const statement = new Map<string, unknown>([
      ['alg', -7],
      ['sig', new Uint8Array(70)],
      ['x5c', [new Uint8Array(100)]],
    ])
    for (const format of ['packed', 'tpm', 'android-key']) {
      const passkey = authenticator.create(await creationOf(anna), { attestation: [format, statement] })
      expect(await anna.call('POST', '/api/auth/passkeys', { name: 'Odd', passkey })).toMatchObject(
        notFitting,
      )
    }
    expect(harness.warnings).toContainEqual({ reason: 'it comes with certificates' })
    expect(await listOf(anna)).toEqual([])
  })

  it('is added by the id alone that its authenticator has for it, which removes it again', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const authenticator = createAuthenticator(origin)
    for (const rawId of [Buffer.alloc(0), Buffer.alloc(32, 1), Buffer.alloc(1_100, 1)]) {
      const passkey = authenticator.create(await creationOf(anna), { rawId })
      expect(await anna.call('POST', '/api/auth/passkeys', { name: 'Odd', passkey })).toMatchObject(
        notFitting,
      )
    }
    expect(await listOf(anna)).toEqual([])
    await add(anna, authenticator)
  })

  it('is one of a bounded number, and of one account', async () => {
    await using harness = await open()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const { passkeys } = harness.platform
    const rpId = 't69.example'
    const key = (id: string) => ({ id, publicKey: new Uint8Array(8), counter: 0, name: id, rpId })
    for (let nr = 1; nr < limits.maxPasskeys; nr++) passkeys.add(anna.user.id, key(`k${nr}`), nr)
    const authenticator = createAuthenticator(origin)
    const id = await add(anna, authenticator)
    const passkey = authenticator.create(await creationOf(anna))
    expect(await anna.call('POST', '/api/auth/passkeys', { name: 'One more', passkey })).toMatchObject(
      refusal(403, 'forbidden', expect.stringContaining('at most')),
    )
    expect(() => passkeys.add(ben.user.id, key(id), 1)).toThrow('there already')
    expect(passkeys.find(id, rpId)?.userId).toBe(anna.user.id)
  })

  it('goes with the account', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const authenticator = createAuthenticator(origin)
    const id = await add(anna, authenticator)
    const request = await requestOf(harness)
    expect((await anna.call('POST', '/api/auth/delete-account', { password })).status).toBe(204)
    expect(harness.platform.passkeys.find(id, 't69.example')).toBeUndefined()
    expect(await enter(harness, authenticator.get(request))).toMatchObject(notFitting)
  })

  it('is offered where PUBLIC_URL has a name and browsers have passkeys, and not elsewhere', async () => {
    for (const [url, isOffered] of [
      [publicUrl, true],
      ['http://localhost:3000', true],
      ['http://t69.example', false],
      ['https://192.0.2.1', false],
      ['https://[2001:db8::1]', false],
      [undefined, false],
    ] as const) {
      await using harness = await createHttpHarness(url === undefined ? {} : { PUBLIC_URL: url })
      const { body } = await harness.anonymous('GET', '/api/auth/registration')
      expect(registrationSchema.parse(body).passkeys, url).toBe(isOffered)
      const asked = await harness.anonymous('POST', '/api/auth/passkeys/challenge', { purpose: 'sign-in' })
      expect(asked.status, url).toBe(isOffered ? 200 : 404)
    }
  })
})

describe('signing in with a passkey', () => {
  async function prepared(env: Record<string, string> = {}) {
    const harness = await open(env)
    const anna = await harness.signUp('Anna')
    const authenticator = createAuthenticator(origin)
    const id = await add(anna, authenticator)
    return { harness, anna, authenticator, id }
  }

  it('takes each challenge once, also of two answers at the same time', async () => {
    const { harness, authenticator } = await prepared()
    await using _ = harness
    const passkey = authenticator.get(await requestOf(harness))
    expect((await enter(harness, passkey)).status).toBe(200)
    expect((await enter(harness, passkey)).status).toBe(401)
    // An authenticator that does not count shows nothing new the second time.
    const uncounted = createAuthenticator(origin)
    const anna = await harness.signUp('Ben')
    await add(anna, uncounted)
    const same = uncounted.get(await requestOf(harness), { counter: 0 })
    const statuses = (await Promise.all([enter(harness, same), enter(harness, same)])).map((it) => it.status)
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 403])
    expect(await enter(harness, same)).toMatchObject(refusal(403, 'forbidden'))
  })

  it('takes no challenge that is too old, made up, of another server, or for something else', async () => {
    const { harness, anna, authenticator } = await prepared()
    await using _ = harness
    const old = await requestOf(harness)
    harness.clock.now += challengeMs
    expect(await enter(harness, authenticator.get(old))).toMatchObject(notFitting)
    expect(await signIn(harness, authenticator, { challenge: 'bWFkZSB1cA' })).toMatchObject(notFitting)
    await using other = await open()
    const { challenge } = await requestOf(other)
    expect(await signIn(harness, authenticator, { challenge })).toMatchObject(notFitting)
    for (const { challenge } of [await confirmationOf(anna), await creationOf(anna)]) {
      expect(await signIn(harness, authenticator, { challenge })).toMatchObject(notFitting)
    }
    expect((await signIn(harness, authenticator)).status).toBe(200)
  })

  it('takes no answer of another origin, for another host name, or without asking who it is', async () => {
    const { harness, authenticator } = await prepared({ CORS_ORIGIN: 'https://app.example' })
    await using _ = harness
    for (const oddities of [
      { origin: 'https://t69.example.evil.example' },
      { origin: 'http://t69.example' },
      { origin: 'https://app.example' },
      { rpId: 'evil.example' },
      { isVerified: false },
    ]) {
      expect(await signIn(harness, authenticator, oddities)).toMatchObject(notFitting)
    }
    expect((await signIn(harness, authenticator)).status).toBe(200)
  })

  it('takes no passkey whose counter goes back or stands still: there is a copy of it', async () => {
    const { harness, authenticator } = await prepared()
    await using _ = harness
    expect((await signIn(harness, authenticator, { counter: 7 })).status).toBe(200)
    for (const counter of [7, 6, 0]) {
      expect(await signIn(harness, authenticator, { counter })).toMatchObject(notFitting)
    }
    expect((await signIn(harness, authenticator, { counter: 8 })).status).toBe(200)
  })

  it('takes no signature of another passkey, and no passkey that names another account', async () => {
    const { harness, anna, authenticator, id } = await prepared()
    await using _ = harness
    const ben = await harness.signUp('Ben')
    const bens = createAuthenticator(origin)
    await add(ben, bens)
    const handleOf = ({ user }: Person) => Buffer.from(user.id).toString('base64url')
    const forged = bens.get(await requestOf(harness), { userHandle: handleOf(anna) })
    expect(await enter(harness, { ...forged, id, rawId: id })).toMatchObject(notFitting)
    expect(harness.warnings).toContainEqual({ reason: 'the signature is wrong' })
    const userHandle = handleOf(ben)
    expect(await signIn(harness, authenticator, { userHandle })).toMatchObject(notFitting)
    const nameless = authenticator.get(await requestOf(harness))
    const { userHandle: _named, ...response } = nameless.response
    expect(await enter(harness, { ...nameless, response })).toMatchObject(notFitting)
    const unknown = createAuthenticator(origin)
    unknown.create(await creationOf(ben))
    expect(await signIn(harness, unknown)).toMatchObject(notFitting)
  })

  it('takes no passkey that was removed, also while it is being checked', async () => {
    const { harness, anna, authenticator, id } = await prepared()
    await using _ = harness
    const passkey = authenticator.get(await requestOf(harness))
    const ben = await harness.signUp('Ben')
    expect(await ben.call('POST', '/api/auth/passkeys/remove', { id, password })).toMatchObject(
      refusal(404, 'not_found'),
    )
    expect(await anna.call('POST', '/api/auth/passkeys/remove', { id })).toMatchObject(
      refusal(401, 'wrong_credentials'),
    )
    const removed = await anna.call('POST', '/api/auth/passkeys/remove', { id, password })
    expect(removed.status).toBe(204)
    expect(await enter(harness, passkey)).toMatchObject(notFitting)
    expect(await listOf(anna)).toEqual([])
    expect(actionsOf(harness, anna)).toContain('passkey removed')

    const again = await add(anna, authenticator)
    const { passkeys } = harness.platform
    const find = passkeys.find.bind(passkeys)
    vi.spyOn(passkeys, 'find').mockImplementation((...asked) => {
      const found = find(...asked)
      passkeys.remove(anna.user.id, again)
      return found
    })
    expect(await signIn(harness, authenticator)).toMatchObject(notFitting)
    expect(harness.warnings).toContainEqual({ reason: 'it was removed or used meanwhile' })
  })

  it('is found for the host name alone that it was made for', async () => {
    const { harness, anna, authenticator, id } = await prepared()
    await using _ = harness
    expect(harness.platform.passkeys.find(id, 'elsewhere.example')).toBeUndefined()
    expect(harness.platform.passkeys.idsOf(anna.user.id, 'elsewhere.example')).toEqual([])
    expect((await signIn(harness, authenticator)).status).toBe(200)
  })

  it('is limited by address like every other way to sign in', async () => {
    const { harness, authenticator } = await prepared({ SIGN_IN_LIMIT_PER_ADDRESS: '3' })
    await using _ = harness
    const statuses: number[] = []
    for (let nr = 0; nr < 4; nr++)
      statuses.push((await signIn(harness, authenticator, { counter: 1 })).status)
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0)
    expect(statuses.at(-1)).toBe(429)
  })

  it('answers what is no passkey as bad input', async () => {
    const { harness, authenticator } = await prepared()
    await using _ = harness
    const passkey = authenticator.get(await requestOf(harness))
    for (const bad of [{}, { ...passkey, id: 'no base64url!' }, { ...passkey, response: {} }]) {
      expect(await enter(harness, bad)).toMatchObject(refusal(400, 'invalid_request'))
    }
    const garbled = { ...passkey.response, authenticatorData: 'AAAA', clientDataJSON: 'AAAA' }
    expect(await enter(harness, { ...passkey, response: garbled })).toMatchObject(notFitting)
  })
})

describe('adding a passkey', () => {
  it('takes a challenge of the same session, made for adding, once', async () => {
    await using harness = await open()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const authenticator = createAuthenticator(origin)
    const send = (person: Person, passkey: object) =>
      person.call('POST', '/api/auth/passkeys', { name: 'Laptop', passkey })

    const creation = await creationOf(anna)
    const { challenge } = await requestOf(harness)
    expect(await send(anna, authenticator.create(creation, { challenge }))).toMatchObject(notFitting)
    const { challenge: confirming } = await confirmationOf(anna)
    expect(await send(anna, authenticator.create(creation, { challenge: confirming }))).toMatchObject(
      notFitting,
    )
    const evil = { origin: 'https://evil.example' }
    expect(await send(anna, authenticator.create(creation, evil))).toMatchObject(notFitting)
    expect(await send(anna, authenticator.create(creation, { isVerified: false }))).toMatchObject(notFitting)
    expect(await send(anna, authenticator.create(creation, { rpId: 'evil.example' }))).toMatchObject(
      notFitting,
    )
    const annas = authenticator.create(creation)
    expect(await send(ben, annas)).toMatchObject(notFitting)
    const second = sessionSchema.parse(
      (await harness.anonymous('POST', '/api/auth/login', { email: anna.user.email, password })).body,
    )
    const elsewhere = { ...anna, call: harness.withToken(second.accessToken) }
    expect(await send(elsewhere, annas)).toMatchObject(notFitting)
    expect((await send(anna, annas)).status).toBe(201)
    expect((await send(anna, authenticator.create(creation))).status).toBe(403)
    harness.clock.now += 1
    const late = await creationOf(anna)
    harness.clock.now += challengeMs
    expect(await send(anna, authenticator.create(late))).toMatchObject(notFitting)
    expect(await listOf(anna)).toHaveLength(1)
  })
})

describe('what changes the password', () => {
  it('removes passkeys: whoever knew the password may have added one', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const thiefs = createAuthenticator(origin)
    await add(anna, thiefs)
    const changed = await anna.call('POST', '/api/auth/change-password', { password, newPassword })
    expect(changed.status).toBe(200)
    expect(await signIn(harness, thiefs)).toMatchObject(notFitting)
  })

  it('leaves the passkey that confirmed it, and no other', async () => {
    await using harness = await open()
    const anna = await harness.signUp('Anna')
    const [annas, thiefs] = [createAuthenticator(origin), createAuthenticator(origin)]
    const id = await add(anna, annas)
    await add(anna, thiefs)
    const passkey = annas.get(await confirmationOf(anna), { id })
    const changed = await anna.call('POST', '/api/auth/change-password', { passkey, newPassword })
    expect(changed.status).toBe(200)
    expect((await signIn(harness, annas)).status).toBe(200)
    expect(await signIn(harness, thiefs)).toMatchObject(notFitting)
  })

  it('removes them all when it is done by a link or the operator', async () => {
    await using harness = await open()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const authenticators = [createAuthenticator(origin), createAuthenticator(origin)] as const
    await add(anna, authenticators[0])
    await add(ben, authenticators[1])
    const { token } = harness.platform.passwordLinks.add(anna.user.id, harness.clock.now)
    await harness.anonymous('POST', '/api/auth/password-link', { token, newPassword })
    harness.platform.accounts.resetPassword(ben.user.id, 'a hash', harness.clock.now)
    for (const authenticator of authenticators) {
      expect(await signIn(harness, authenticator)).toMatchObject(notFitting)
    }
  })
})

describe('confirming with a passkey', () => {
  it('counts for the account and the session that asked, and once', async () => {
    await using harness = await open()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const [annas, bens] = [createAuthenticator(origin), createAuthenticator(origin)]
    const id = await add(anna, annas)
    const bensId = await add(ben, bens)
    const path = '/api/auth/passkeys/creation'
    expect((await confirmationOf(anna)).allowCredentials).toEqual([{ id, type: 'public-key' }])

    const passkey = annas.get(await confirmationOf(anna))
    expect(await ben.call('POST', path, { passkey })).toMatchObject(notFitting)
    const { accessToken } = sessionSchema.parse((await signIn(harness, annas)).body)
    const elsewhere = harness.withToken(accessToken)
    const fresh = annas.get(await confirmationOf(anna))
    expect(await elsewhere('POST', path, { passkey: fresh })).toMatchObject(notFitting)
    expect((await anna.call('POST', path, { passkey: fresh })).status).toBe(200)
    expect((await anna.call('POST', path, { passkey: fresh })).status).toBe(401)

    // Ben's passkey says nothing of Anna, whatever was asked.
    const asAnna = bens.get(await confirmationOf(anna), { id: bensId })
    expect(await anna.call('POST', path, { passkey: asAnna })).toMatchObject(notFitting)
    const signingIn = annas.get(await requestOf(harness))
    expect(await anna.call('POST', path, { passkey: signingIn })).toMatchObject(notFitting)
    const anonymous = await harness.anonymous('POST', '/api/auth/passkeys/challenge', { purpose: 'confirm' })
    expect(anonymous).toMatchObject(refusal(401, 'unauthenticated'))
  })

  it('stands for the password: in deleting the account, and on the admin page', async () => {
    await using harness = await open()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    harness.platform.directory.setRole(anna.user.id, 'admin')
    const authenticator = createAuthenticator(origin)
    await add(anna, authenticator)
    const role = `/api/admin/users/${ben.user.id}/role`
    expect(await anna.call('POST', role, { role: 'admin' })).toMatchObject(refusal(401, 'wrong_credentials'))
    const passkey = authenticator.get(await confirmationOf(anna))
    expect((await anna.call('POST', role, { role: 'admin', passkey })).status).toBe(200)
    const other = authenticator.get(await confirmationOf(anna))
    expect((await anna.call('POST', '/api/auth/delete-account', { passkey: other })).status).toBe(204)
    expect(harness.platform.users.byId(anna.user.id)).toBeUndefined()
  })

  it('is limited in one budget with guesses at the password', async () => {
    await using harness = await open({ SIGN_IN_LIMIT_PER_ACCOUNT: '3' })
    const anna = await harness.signUp('Anna')
    const authenticator = createAuthenticator(origin)
    await add(anna, authenticator)
    const path = '/api/auth/passkeys/creation'
    const wrong = async () =>
      authenticator.get(await confirmationOf(anna), { origin: 'https://evil.example' })
    expect((await anna.call('POST', path, { passkey: await wrong() })).status).toBe(401)
    expect((await anna.call('POST', path, { password: 'guessed' })).status).toBe(401)
    expect((await anna.call('POST', path, { passkey: await wrong() })).status).toBe(429)
  })
})
