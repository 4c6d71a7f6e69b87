import { sessionSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { passwordLinkTtlMs } from '../platform/password-links.ts'
import { createHttpHarness, password, type HttpHarness, type Person } from '../testing/http-harness.ts'

const newPassword = 'a much better horse'
const path = '/api/auth/password-link'

const linkFor = ({ platform, clock }: HttpHarness, { user }: Person): string =>
  platform.passwordLinks.add(user.id, clock.now).token

const preview = ({ anonymous }: HttpHarness, token: string) => anonymous('POST', `${path}/preview`, { token })

const setPassword = ({ anonymous }: HttpHarness, token: string, given = newPassword) =>
  anonymous('POST', path, { token, newPassword: given })

const signIn = async ({ anonymous }: HttpHarness, given: string) =>
  (await anonymous('POST', '/api/auth/login', { email: 'anna@example.org', password: given })).status

const over = {
  status: 410,
  body: { error: { code: 'invite_expired', message: expect.stringContaining('ask') } },
}
const unknown = { status: 404, body: { error: { code: 'not_found' } } }

describe('a link to set a password', () => {
  it('says whose password it sets, and changes nothing until it is used', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const token = linkFor(harness, anna)
    expect(await preview(harness, token)).toEqual({
      status: 200,
      body: { user: anna.user, expiresAt: harness.clock.now + passwordLinkTtlMs },
    })
    expect(await signIn(harness, password)).toBe(200)
    expect((await anna.call('GET', '/api/me')).status).toBe(200)
  })

  it('sets the password once, signs in, and ends every session before it answers', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const token = linkFor(harness, anna)
    const reply = await setPassword(harness, token)
    expect(harness.told.map((told) => told.split(' ')[0])).toEqual(['sessionEnded'])
    const session = sessionSchema.parse(reply.body)
    expect((await harness.withToken(session.accessToken)('GET', '/api/me')).body).toMatchObject(anna.user)
    expect((await anna.call('GET', '/api/me')).status).toBe(401)
    const { refreshToken } = anna.session
    expect((await harness.anonymous('POST', '/api/auth/refresh', { refreshToken })).status).toBe(401)
    expect([await signIn(harness, password), await signIn(harness, newPassword)]).toEqual([401, 200])
    expect(harness.platform.audit.ofUser(anna.user.id, 1)).toMatchObject([
      { action: 'password set by a link', actorId: anna.user.id, address: '127.0.0.1' },
    ])
    expect(await preview(harness, token)).toMatchObject(over)
    expect(await setPassword(harness, token, 'yet another one')).toMatchObject(over)
    expect(await signIn(harness, newPassword)).toBe(200)
  })

  it('is good for a day', async () => {
    await using harness = await createHttpHarness()
    const token = linkFor(harness, await harness.signUp('Anna'))
    harness.clock.now += passwordLinkTtlMs - 1
    expect((await preview(harness, token)).status).toBe(200)
    harness.clock.now += 1
    expect(await preview(harness, token)).toMatchObject(over)
    expect(await setPassword(harness, token)).toMatchObject(over)
    expect(await signIn(harness, password)).toBe(200)
  })

  it('is void once there is a newer one for the account, or its password was changed', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const [first, bens, second] = [linkFor(harness, anna), linkFor(harness, ben), linkFor(harness, anna)]
    expect(await setPassword(harness, first)).toMatchObject(over)
    expect((await preview(harness, bens)).status).toBe(200)
    await anna.call('POST', '/api/auth/change-password', { password, newPassword })
    expect(await setPassword(harness, second)).toMatchObject(over)
    const third = linkFor(harness, anna)
    harness.platform.accounts.resetPassword(anna.user.id, 'x', harness.clock.now)
    expect(await preview(harness, third)).toMatchObject(over)
  })

  it('is of no use to two people at once', async () => {
    await using harness = await createHttpHarness()
    const token = linkFor(harness, await harness.signUp('Anna'))
    const replies = await Promise.all(
      ['one', 'two'].map((it) => setPassword(harness, token, `${it}${it}${it}`)),
    )
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 410]))
  })

  it('that is made up, or of a deleted account, is unknown', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const token = linkFor(harness, anna)
    expect(await preview(harness, 'A'.repeat(43))).toMatchObject(unknown)
    await anna.call('POST', '/api/auth/delete-account', { password })
    expect(await preview(harness, token)).toMatchObject(unknown)
    expect(await setPassword(harness, token)).toMatchObject(unknown)
  })

  it('refuses a password that sign-up would refuse, and is good afterwards', async () => {
    await using harness = await createHttpHarness()
    const token = linkFor(harness, await harness.signUp('Anna'))
    expect(await setPassword(harness, token, 'short')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request', at: 'newPassword' } },
    })
    expect((await setPassword(harness, token)).status).toBe(200)
  })

  it('can be used while strangers have filled the queue of sign-ins', async () => {
    await using harness = await createHttpHarness()
    const token = linkFor(harness, await harness.signUp('Anna'))
    harness.crowd.isThere = true
    expect((await setPassword(harness, token)).status).toBe(200)
  })

  it('cannot be guessed at any rate, and guesses use up no sign-ins', async () => {
    await using harness = await createHttpHarness({ SIGN_IN_LIMIT_PER_ADDRESS: '3' })
    await harness.signUp('Anna')
    for (let guess = 0; guess < 3; guess++) expect((await preview(harness, `guess${guess}`)).status).toBe(404)
    expect(await setPassword(harness, 'guess')).toMatchObject({
      status: 429,
      body: { error: { code: 'rate_limited' } },
    })
    expect(await signIn(harness, password)).toBe(200)
  })
})
