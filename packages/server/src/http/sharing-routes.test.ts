import { inviteListSchema, inviteSchema, memberListSchema, sessionSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createHttpHarness, password, type Person } from '../testing/http-harness.ts'

const day = 24 * 60 * 60 * 1000

async function invite(person: Person, spaceId: string, role: 'editor' | 'viewer') {
  const reply = await person.call('POST', `/api/spaces/${spaceId}/invites`, { role })
  expect(reply.status).toBe(201)
  return inviteSchema.parse(reply.body)
}

describe('invites', () => {
  it('let in anyone with the link, in its role, and tell live sockets first', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    const { token, url, expiresAt } = await invite(anna, spaceId, 'editor')
    expect(url).toBe(`http://localhost:80/invite/${token}`)
    expect(expiresAt).toBe(harness.clock.now + 7 * day)
    for (const name of ['Ben', 'Cleo']) {
      harness.clock.now += 1000
      const person = await harness.signUp(name)
      const accepted = await person.call('POST', `/api/invites/${token}/accept`)
      expect(accepted).toMatchObject({ status: 200, body: { id: spaceId, role: 'editor' } })
      expect(harness.told.at(-1)).toBe(`accessChanged ${spaceId}`)
    }
    const list = memberListSchema.parse((await anna.call('GET', `/api/spaces/${spaceId}/members`)).body)
    expect(list.members.map((member) => [member.user.name, member.role])).toEqual([
      ['Anna', 'owner'],
      ['Ben', 'editor'],
      ['Cleo', 'editor'],
    ])
  })

  it('point to the public URL when one is configured', async () => {
    await using harness = await createHttpHarness({ PUBLIC_URL: 'https://t69.example/' })
    const anna = await harness.signUp('Anna')
    const { url, token } = await invite(anna, harness.space(anna), 'viewer')
    expect(url).toBe(`https://t69.example/invite/${token}`)
  })

  it('has links to where the page that asks is, and not to what a proxy makes of it', async () => {
    await using harness = await createHttpHarness({ CORS_ORIGIN: 'https://app.example' })
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    const linkFor = async (headers: Record<string, string>): Promise<string> => {
      const { accessToken } = anna.session
      const response = await harness.app.inject({
        method: 'POST',
        url: `/api/spaces/${spaceId}/invites`,
        headers: { authorization: `Bearer ${accessToken}`, ...headers },
        payload: { role: 'viewer' },
      })
      return new URL(inviteSchema.parse(response.json()).url).origin
    }
    expect(await linkFor({ host: 'nas.home', origin: 'http://nas.home:8080' })).toBe('http://nas.home:8080')
    expect(await linkFor({ host: '127.0.0.1:3000', origin: 'https://t69.home' })).toBe('https://t69.home')
    expect(await linkFor({ host: 't69.home', origin: 'https://app.example' })).toBe('http://t69.home')
    expect(await linkFor({ host: 't69.home', origin: 'null' })).toBe('http://t69.home')
    expect(await linkFor({ host: 't69.home:3000' })).toBe('http://t69.home:3000')
  })

  it('never lower or raise the role of a member', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const spaceId = harness.space(anna, [[ben, 'viewer']])
    const { token } = await invite(anna, spaceId, 'editor')
    const accepted = await ben.call('POST', `/api/invites/${token}/accept`)
    expect(accepted).toMatchObject({ status: 200, body: { role: 'viewer' } })
    expect((await anna.call('POST', `/api/invites/${token}/accept`)).body).toMatchObject({ role: 'owner' })
    expect(harness.told).toEqual([])
  })

  it('say what they are to anyone with the link, without an e-mail address, and are not used by that', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const spaceId = harness.space(anna)
    const { token, expiresAt } = await invite(anna, spaceId, 'viewer')
    const told = [...harness.told]
    for (const session of ['nonsense', ben.session.accessToken]) {
      const { status, body } = await harness.withToken(session)('POST', '/api/invites/preview', { token })
      expect(status).toBe(200)
      expect(Object.keys(body as object).toSorted()).toEqual(['expiresAt', 'invitedBy', 'role', 'space'])
      expect(body).toMatchObject({ role: 'viewer', invitedBy: 'Anna', expiresAt })
      expect(JSON.stringify(body)).not.toContain('@')
    }
    // A member, and nobody else, learns which space it is.
    const { body: toMember } = await anna.call('POST', '/api/invites/preview', { token })
    expect(toMember).toMatchObject({ role: 'viewer', invitedBy: 'Anna', memberOf: spaceId })
    expect(harness.platform.members.list(spaceId)).toHaveLength(1)
    const list = await anna.call('GET', `/api/spaces/${spaceId}/invites`)
    expect(inviteListSchema.parse(list.body).invites).toMatchObject([{ uses: 0 }])
    expect(harness.told).toEqual(told)

    harness.clock.now = expiresAt
    expect(await harness.anonymous('POST', '/api/invites/preview', { token })).toMatchObject({
      status: 410,
      body: { error: { code: 'invite_expired' } },
    })
    expect(await harness.anonymous('POST', '/api/invites/preview', { token: 'guess' })).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    })
  })

  it('can be guessed at no faster than passwords, and guesses use up no sign-ins', async () => {
    await using harness = await createHttpHarness({ SIGN_IN_LIMIT_PER_ADDRESS: '3' })
    const guess = async () =>
      (await harness.anonymous('POST', '/api/invites/preview', { token: 'guess' })).status
    expect([await guess(), await guess(), await guess(), await guess()]).toEqual([404, 404, 404, 429])
    await harness.signUp('Anna')
  })

  it('expire after a week', async () => {
    await using harness = await createHttpHarness({ ACCESS_TOKEN_TTL: '9d' })
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const { token } = await invite(anna, harness.space(anna), 'editor')
    harness.clock.now += 7 * day
    expect(await ben.call('POST', `/api/invites/${token}/accept`)).toMatchObject({
      status: 410,
      body: { error: { code: 'invite_expired' } },
    })
  })

  it('are void once their creator is no longer an owner', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const cleo = await harness.signUp('Cleo')
    const spaceId = harness.space(anna, [[ben, 'owner']])
    const { token } = await invite(ben, spaceId, 'editor')
    await anna.call('PATCH', `/api/spaces/${spaceId}/members/${ben.user.id}`, { role: 'editor' })
    const reply = await cleo.call('POST', `/api/invites/${token}/accept`)
    expect(reply).toMatchObject({ status: 410, body: { error: { code: 'invite_expired' } } })
  })

  it('let no removed member in again by any link, and stay valid when a member only left', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const cleo = await harness.signUp('Cleo')
    const spaceId = harness.space(anna, [
      [ben, 'editor'],
      [cleo, 'viewer'],
    ])
    const members = `/api/spaces/${spaceId}/members`
    const invites = [await invite(anna, spaceId, 'viewer'), await invite(anna, spaceId, 'editor')]
    expect((await cleo.call('DELETE', `${members}/${cleo.user.id}`)).status).toBe(204)
    expect((await cleo.call('POST', `/api/invites/${invites[0]!.token}/accept`)).status).toBe(200)

    harness.clock.now += 1000
    expect((await anna.call('DELETE', `${members}/${ben.user.id}`)).status).toBe(204)
    for (const { token } of invites) {
      const reply = await ben.call('POST', `/api/invites/${token}/accept`)
      expect(reply).toMatchObject({ status: 410, body: { error: { code: 'invite_expired' } } })
    }
    const fresh = await invite(anna, spaceId, 'viewer')
    expect((await ben.call('POST', `/api/invites/${fresh.token}/accept`)).status).toBe(200)
  })

  it('do not let a demoted member leave and return as an editor', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const spaceId = harness.space(anna)
    const editors = await invite(anna, spaceId, 'editor')
    const viewers = await invite(anna, spaceId, 'viewer')
    expect((await ben.call('POST', `/api/invites/${editors.token}/accept`)).status).toBe(200)
    const member = `/api/spaces/${spaceId}/members/${ben.user.id}`
    expect((await anna.call('PATCH', member, { role: 'viewer' })).status).toBe(200)
    expect((await ben.call('DELETE', member)).status).toBe(204)
    expect((await ben.call('POST', `/api/invites/${editors.token}/accept`)).status).toBe(410)
    const back = await ben.call('POST', `/api/invites/${viewers.token}/accept`)
    expect(back).toMatchObject({ status: 200, body: { role: 'viewer' } })
  })

  it('[QU5] are limited in one space, until one is withdrawn or expires', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const [spaceId, other] = [harness.space(anna), harness.space(anna)]
    const make = async () =>
      (await anna.call('POST', `/api/spaces/${spaceId}/invites`, { role: 'viewer' })).status
    const first = await invite(anna, spaceId, 'viewer')
    harness.clock.now += 1_000
    for (let made = 1; made < 100; made++) expect(await make()).toBe(201)
    const refused = await anna.call('POST', `/api/spaces/${spaceId}/invites`, { role: 'viewer' })
    const retryAfterMs = first.expiresAt - harness.clock.now
    expect(refused).toMatchObject({ status: 507, body: { error: { code: 'quota_exceeded', retryAfterMs } } })
    await invite(anna, other, 'viewer')
    expect((await anna.call('DELETE', `/api/spaces/${spaceId}/invites/${first.id}`)).status).toBe(204)
    expect([await make(), await make()]).toEqual([201, 507])
    harness.clock.now += 7 * day
    const back = await harness.anonymous('POST', '/api/auth/login', { email: anna.user.email, password })
    const { accessToken } = sessionSchema.parse(back.body)
    const renewed = harness.withToken(accessToken)
    expect((await renewed('POST', `/api/spaces/${spaceId}/invites`, { role: 'viewer' })).status).toBe(201)
  })

  it('are listed for owners while they are active, with role, expiry and uses', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben, cleo] = [
      await harness.signUp('Anna'),
      await harness.signUp('Ben'),
      await harness.signUp('Cleo'),
    ]
    const spaceId = harness.space(anna, [[ben, 'owner']])
    const url = `/api/spaces/${spaceId}/invites`
    const list = async () => inviteListSchema.parse((await anna.call('GET', url)).body).invites
    const first = await invite(anna, spaceId, 'editor')
    harness.clock.now += 1000
    const bens = await invite(ben, spaceId, 'viewer')
    for (let again = 0; again < 2; again++) await cleo.call('POST', `/api/invites/${first.token}/accept`)
    const shown = (await list()).map(({ id, role, createdBy, uses }) => ({ id, role, createdBy, uses }))
    expect(shown).toEqual([
      { id: bens.id, role: 'viewer', createdBy: ben.user.id, uses: 0 },
      { id: first.id, role: 'editor', createdBy: anna.user.id, uses: 1 },
    ])
    expect((await list())[1]).toMatchObject({
      createdAt: harness.clock.now - 1000,
      expiresAt: first.expiresAt,
    })
    expect(JSON.stringify(await list())).not.toContain(first.token)
    expect((await cleo.call('GET', url)).status).toBe(403)
    await anna.call('PATCH', `/api/spaces/${spaceId}/members/${ben.user.id}`, { role: 'editor' })
    // The invite of a member who is not an owner lets nobody in. A new editor loses no right that the other gives.
    expect((await list()).map(({ id }) => id)).toEqual([first.id])
    expect((await ben.call('GET', url)).status).toBe(403)
  })

  it('can be withdrawn one by one, by owners of their space', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const [spaceId, other] = [harness.space(anna), harness.space(ben)]
    const [one, two] = [await invite(anna, spaceId, 'editor'), await invite(anna, spaceId, 'viewer')]
    const withdraw = (person: Person, from: string) =>
      person.call('DELETE', `/api/spaces/${from}/invites/${one.id}`)
    expect((await withdraw(ben, spaceId)).status).toBe(404)
    expect((await withdraw(ben, other)).status).toBe(404)
    expect((await withdraw(anna, spaceId)).status).toBe(204)
    expect((await withdraw(anna, spaceId)).status).toBe(404)
    expect((await ben.call('POST', `/api/invites/${one.token}/accept`)).status).toBe(410)
    expect((await ben.call('POST', `/api/invites/${two.token}/accept`)).status).toBe(200)
  })

  it('end with their space, and unknown ones are not found', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const spaceId = harness.space(anna)
    const { token } = await invite(anna, spaceId, 'editor')
    await anna.call('DELETE', `/api/spaces/${spaceId}`)
    expect((await ben.call('POST', `/api/invites/${token}/accept`)).status).toBe(404)
    expect((await ben.call('POST', '/api/invites/made-up/accept')).status).toBe(404)
    expect((await harness.anonymous('POST', `/api/invites/${token}/accept`)).status).toBe(401)
  })

  it('make nobody an owner', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const url = `/api/spaces/${harness.space(anna)}/invites`
    expect((await anna.call('POST', url, { role: 'owner' })).status).toBe(400)
  })
})

describe('members', () => {
  it('get another role, and live sockets are told', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const spaceId = harness.space(anna, [[ben, 'viewer']])
    const reply = await anna.call('PATCH', `/api/spaces/${spaceId}/members/${ben.user.id}`, { role: 'owner' })
    expect(reply).toMatchObject({ status: 200, body: { role: 'owner', user: ben.user } })
    expect(harness.told).toEqual([`accessChanged ${spaceId}`])
  })

  it('leave or are removed, and live sockets are told', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const cleo = await harness.signUp('Cleo')
    const members = `/api/spaces/${harness.space(anna, [
      [ben, 'viewer'],
      [cleo, 'editor'],
    ])}/members`
    expect((await ben.call('DELETE', `${members}/${ben.user.id}`)).status).toBe(204)
    expect((await anna.call('DELETE', `${members}/${cleo.user.id}`)).status).toBe(204)
    expect(harness.told).toHaveLength(2)
    expect((await ben.call('GET', members)).status).toBe(404)
    expect((await anna.call('DELETE', `${members}/${cleo.user.id}`)).status).toBe(404)
  })

  it('always include an owner: the last one can neither leave nor step down', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const spaceId = harness.space(anna, [[ben, 'editor']])
    const self = `/api/spaces/${spaceId}/members/${anna.user.id}`
    const refused = { status: 403, body: { error: { code: 'forbidden' } } }
    expect(await anna.call('DELETE', self)).toMatchObject(refused)
    expect(await anna.call('PATCH', self, { role: 'editor' })).toMatchObject(refused)
    expect(harness.platform.members.roleOf(spaceId, anna.user.id)).toBe('owner')
    expect(harness.told).toEqual([])

    await anna.call('PATCH', `/api/spaces/${spaceId}/members/${ben.user.id}`, { role: 'owner' })
    expect((await anna.call('DELETE', self)).status).toBe(204)
  })

  it('[AU6] a removal is confirmed once logs have kept it, and sockets are told before', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const spaceId = harness.space(anna, [[ben, 'editor']])
    const kept = Promise.withResolvers<void>()
    harness.keeping.promise = kept.promise
    let isConfirmed = false
    const removal = anna.call('DELETE', `/api/spaces/${spaceId}/members/${ben.user.id}`)
    const confirmed = removal.then(() => (isConfirmed = true))
    // Reading does not wait, and is answered later than the removal would have been.
    while (harness.told.length === 0) await anna.call('GET', '/api/spaces')
    expect((await ben.call('GET', '/api/spaces')).body).toEqual({ spaces: [] })
    expect([isConfirmed, harness.told]).toEqual([false, [`accessChanged ${spaceId}`]])
    kept.resolve()
    await confirmed
    expect((await removal).status).toBe(204)
  })
})
