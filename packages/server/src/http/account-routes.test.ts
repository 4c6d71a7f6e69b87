import { sessionSchema, type SessionReply } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createHttpHarness, password, type HttpHarness, type Person } from '../testing/http-harness.ts'

const newPassword = 'a much better horse'

function changePassword(person: Person, body: object = {}) {
  return person.call('POST', '/api/auth/change-password', { password, newPassword, ...body })
}

function deleteAccount(person: Person, given = password) {
  return person.call('POST', '/api/auth/delete-account', { password: given })
}

async function signIn(harness: HttpHarness, given: string): Promise<SessionReply | undefined> {
  const body = { email: 'anna@example.org', password: given }
  const reply = await harness.anonymous('POST', '/api/auth/login', body)
  return reply.status === 200 ? sessionSchema.parse(reply.body) : undefined
}

function signInWith(harness: HttpHarness, email: string) {
  return harness.anonymous('POST', '/api/auth/login', { email, password })
}

const wrong = { status: 401, body: { error: { code: 'wrong_credentials', at: 'password' } } }
const ended = { status: 401, body: { error: { code: 'unauthenticated' } } }

describe('changing the password', () => {
  it('takes the current password, and makes the new one valid at once', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    expect(await changePassword(anna, { password: 'a guess' })).toMatchObject(wrong)
    expect(harness.told).toEqual([])
    expect((await changePassword(anna)).status).toBe(200)
    expect(await signIn(harness, password)).toBeUndefined()
    expect((await signIn(harness, newPassword))?.user).toEqual(anna.user)
  })

  it('ends every session before it answers, and gives the caller a new one', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const other = await signIn(harness, password)
    const reply = await changePassword(anna)
    expect(harness.told.map((told) => told.split(' ')[0])).toEqual(['sessionEnded', 'sessionEnded'])
    const session = sessionSchema.parse(reply.body)
    for (const old of [anna.session, other!]) {
      expect(await harness.withToken(old.accessToken)('GET', '/api/me')).toMatchObject(ended)
      const { refreshToken } = old
      expect(await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })).toMatchObject(ended)
    }
    expect((await harness.withToken(session.accessToken)('GET', '/api/me')).body).toMatchObject(anna.user)
    const { refreshToken } = session
    expect((await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })).status).toBe(200)
  })

  it('keeps the session in a cookie if it was in one', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const response = await harness.app.inject({
      method: 'POST',
      url: '/api/auth/change-password',
      headers: { authorization: `Bearer ${anna.session.accessToken}` },
      payload: { password, newPassword, session: 'cookie' },
    })
    expect(response.json()).not.toHaveProperty('refreshToken')
    expect(response.cookies[0]).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/api/auth' })
  })

  it('refuses a password that sign-up would refuse', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    expect(await changePassword(anna, { newPassword: 'short' })).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', at: 'newPassword' } },
    })
  })

  it('happens once when two requests change it at the same time', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const replies = await Promise.all(
      ['one', 'two'].map((nth) => changePassword(anna, { newPassword: `${nth} ${nth} ${nth}` })),
    )
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 401]))
    const won = replies[0]!.status === 200 ? 'one one one' : 'two two two'
    expect(await signIn(harness, won)).toBeDefined()
  })

  it('is refused when the session ends while the password is checked', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const change = changePassword(anna)
    await harness.passwordAsked()
    await anna.call('POST', '/api/auth/logout', { everywhere: true })
    expect(await change).toMatchObject(ended)
    expect(await signIn(harness, newPassword)).toBeUndefined()
  })

  it('starts no session for a sign-in with the old password under way', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const { passwordHash } = harness.platform.users.byEmail('anna@example.org')!
    const late = harness.anonymous('POST', '/api/auth/login', { email: 'anna@example.org', password })
    await harness.passwordAsked()
    harness.platform.accounts.changePassword(
      anna.user.id,
      { checked: passwordHash, next: 'x' },
      harness.clock.now,
    )
    expect(await late).toMatchObject({ status: 401, body: { error: { code: 'wrong_credentials' } } })
  })
})

describe('changing the name', () => {
  it('shows it to others at once, and signs nobody out', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const shared = harness.space(ben, [[anna, 'editor']])
    const changed = { ...anna.user, name: 'Anne' }
    expect(await anna.call('PATCH', '/api/me', { name: '  Anne ' })).toEqual({ status: 200, body: changed })
    expect((await anna.call('GET', '/api/me')).body).toMatchObject(changed)
    expect((await ben.call('GET', `/api/spaces/${shared}/members`)).body).toMatchObject({
      members: [{ user: ben.user }, { user: changed }],
    })
    expect((await ben.call('GET', '/api/me')).body).toMatchObject(ben.user)
    const { refreshToken } = anna.session
    const renewed = await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })
    expect(sessionSchema.parse(renewed.body).user).toEqual(changed)
    expect(harness.told).toEqual([])
    expect(harness.platform.audit.ofUser(anna.user.id, 1)).toMatchObject([
      { action: 'name changed', actorId: anna.user.id, userId: anna.user.id },
    ])
  })

  it.each(['', '   ', 'x'.repeat(101)])('refuses %j, as sign-up would', async (name) => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    expect(await anna.call('PATCH', '/api/me', { name })).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', at: 'name' } },
    })
    expect((await anna.call('GET', '/api/me')).body).toMatchObject(anna.user)
  })
})

describe('deleting an account', () => {
  it('needs the password', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    expect(await deleteAccount(anna, 'a guess')).toMatchObject(wrong)
    expect((await anna.call('GET', '/api/me')).status).toBe(200)
    expect(harness.told).toEqual([])
  })

  it('ends the sockets first, then removes the spaces without other members', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const shared = harness.space(ben, [[anna, 'editor']])
    const own = harness.space(anna)
    const other = await signIn(harness, password)
    expect((await deleteAccount(anna)).status).toBe(204)
    expect(harness.told.map((told) => told.replace(/(sessionEnded) .*/, '$1'))).toEqual([
      'sessionEnded',
      'sessionEnded',
      `accessChanged ${shared}`,
      `spaceDeleted ${own}`,
      `fileRemoved ${own}`,
    ])
    for (const { accessToken, refreshToken } of [anna.session, other!]) {
      expect(await harness.withToken(accessToken)('GET', `/api/spaces/${shared}`)).toMatchObject(ended)
      expect(await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })).toMatchObject(ended)
    }
    expect(await signIn(harness, password)).toBeUndefined()
    expect(await deleteAccount(anna)).toMatchObject(ended)
  })

  it('leaves a file that cannot be removed for the next start, and still succeeds', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaces = [harness.space(anna), harness.space(anna)]
    harness.failNextRemoval()
    expect((await deleteAccount(anna)).status).toBe(204)
    expect(harness.platform.spaceRecords.pendingDeletions()).toEqual([spaces[0]])
  })

  it('is refused to the last owner of a space with other members, and names the space', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    harness.space(anna)
    const shared = harness.space(anna, [[ben, 'viewer']])
    const refused = await deleteAccount(anna)
    const error = { code: 'forbidden', reason: 'last_owner', names: ['Shared'] }
    expect(refused).toMatchObject({ status: 403, body: { error } })
    expect(JSON.stringify(refused.body)).toContain('“Shared”')
    expect(harness.told).toEqual([])
    expect((await anna.call('GET', '/api/spaces')).body).toMatchObject({ spaces: [{}, {}] })
    await anna.call('PATCH', `/api/spaces/${shared}/members/${ben.user.id}`, { role: 'owner' })
    expect((await deleteAccount(anna)).status).toBe(204)
    expect((await ben.call('GET', `/api/spaces/${shared}/members`)).body).toMatchObject({
      members: [{ user: { name: 'Ben' }, role: 'owner' }],
    })
  })

  it('frees the address: its next owner is another user, and sees nothing of the first one’s', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const shared = harness.space(ben, [[anna, 'editor']])
    await deleteAccount(anna)
    const again = await harness.signUp('Anna')
    expect(again.user.id).not.toBe(anna.user.id)
    expect((await again.call('GET', '/api/spaces')).body).toEqual({ spaces: [] })
    expect((await again.call('GET', `/api/spaces/${shared}`)).status).toBe(404)
    expect(await anna.call('GET', '/api/me')).toMatchObject(ended)
  })

  it('starts no session for a sign-in under way', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const late = harness.anonymous('POST', '/api/auth/login', { email: 'anna@example.org', password })
    await harness.passwordAsked()
    harness.platform.accounts.delete(anna.user.id, harness.clock.now)
    expect(await late).toMatchObject({ status: 401, body: { error: { code: 'wrong_credentials' } } })
  })

  it('happens once when two requests delete it at the same time', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const replies = await Promise.all([deleteAccount(anna), deleteAccount(anna)])
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([204, 401]))
  })
})

describe('guesses at the password of a signed-in user', () => {
  const limited = { status: 429, body: { error: { code: 'rate_limited' } } }

  it('are limited by session, whichever route they use', async () => {
    await using harness = await createHttpHarness({ SIGN_IN_LIMIT_PER_ACCOUNT: '2' })
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const phone = await signIn(harness, password)
    expect((await deleteAccount(anna, 'a guess')).status).toBe(401)
    expect((await changePassword(anna, { password: 'a guess' })).status).toBe(401)
    expect(await deleteAccount(anna)).toMatchObject(limited)
    expect(await changePassword(anna)).toMatchObject(limited)
    const { refreshToken } = anna.session
    const renewed = await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })
    const again = harness.withToken(sessionSchema.parse(renewed.body).accessToken)
    expect(await again('POST', '/api/auth/delete-account', { password })).toMatchObject(limited)
    expect((await changePassword(ben)).status).toBe(200)
    // Not the sessions of other devices: whoever stole one must not keep its owner from ending it.
    const change = { password, newPassword }
    expect(
      (await harness.withToken(phone!.accessToken)('POST', '/api/auth/change-password', change)).status,
    ).toBe(200)
  })

  it('are checked while strangers have filled the queue of sign-ins', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    harness.crowd.isThere = true
    expect(await signInWith(harness, 'anna@example.org')).toMatchObject({
      status: 503,
      body: { error: { code: 'unavailable' } },
    })
    expect((await changePassword(anna)).status).toBe(200)
    expect((await deleteAccount(ben)).status).toBe(204)
  })

  it('are not limited by what strangers guess at sign-in, from any address', async () => {
    await using harness = await createHttpHarness({
      SIGN_IN_LIMIT_PER_ACCOUNT: '3',
      SIGN_IN_LIMIT_PER_ADDRESS: '9',
    })
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    for (let guess = 0; guess < 20; guess++) await signIn(harness, 'a guess')
    expect(await signInWith(harness, 'anna@example.org')).toMatchObject(limited)
    expect((await changePassword(anna)).status).toBe(200)
    expect((await deleteAccount(ben)).status).toBe(204)
  })
})
