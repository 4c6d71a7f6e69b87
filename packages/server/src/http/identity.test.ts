import {
  accountStateSchema,
  limits,
  memberListSchema,
  randomHexId,
  sessionSchema,
  spaceIdSchema,
  spaceSchema,
  userIdSchema,
  type SpaceId,
} from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createHttpHarness, password, type HttpHarness, type Person } from '../testing/http-harness.ts'

const secret = { JWT_SECRET: 'the secret of a server that is restored' }
const sealOf = ({ platform }: HttpHarness, spaceId: SpaceId) => platform.accessLists.seal(spaceId).seal
const newSpaceId = () => spaceIdSchema.parse(randomHexId())

/** Signs up again on a server that has lost the account, with the seal that the device has. */
async function signUpAgain(harness: HttpHarness, { user, session }: Person): Promise<Person> {
  const body = { email: user.email, password, name: user.name, seal: session.seal }
  const again = sessionSchema.parse((await harness.anonymous('POST', '/api/auth/register', body)).body)
  return { user: again.user, session: again, call: harness.withToken(again.accessToken) }
}

async function membersOf(person: Person, spaceId: SpaceId) {
  const reply = await person.call('GET', `/api/spaces/${spaceId}/members`)
  const { members, absent } = memberListSchema.parse(reply.body)
  const shown = ({ user, role }: { user: { name: string }; role: string }) => `${user.name} ${role}`
  return { members: members.map(shown), absent: absent.map(shown) }
}

describe('a space that is registered', () => {
  it('[SI1] has a new identity each time, which no request chooses', async () => {
    await using one = await createHttpHarness()
    await using two = await createHttpHarness()
    const id = newSpaceId()
    const identities = await Promise.all(
      [one, two].map(async (harness) => {
        const anna = await harness.signUp('Anna')
        const body = { id, name: 'Home', identity: 'a'.repeat(32) }
        return spaceSchema.parse((await anna.call('POST', '/api/spaces', body)).body).identity
      }),
    )
    expect(new Set([...identities, 'a'.repeat(32)]).size).toBe(3)
  })

  it('[SI4] is returned to who repeats its registration, and refused to any other, of its members as well', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const body = { id: newSpaceId(), name: 'Home', registration: randomHexId() }
    const first = await anna.call('POST', '/api/spaces', body)
    expect(first.status).toBe(201)
    expect(await anna.call('POST', '/api/spaces', body)).toEqual({ ...first, status: 200 })
    harness.platform.members.add(body.id, ben.user.id, 'editor', harness.clock.now)
    const taken = { status: 409, body: { error: { code: 'already_exists', at: 'id' } } }
    for (const person of [anna, ben]) {
      const other = { ...body, registration: randomHexId() }
      expect(await person.call('POST', '/api/spaces', other)).toMatchObject(taken)
    }
    const stranger = await harness.signUp('Mallory')
    expect(await stranger.call('POST', '/api/spaces', body)).toMatchObject(taken)
    // A space that no device named is nobody's registration.
    const unnamed = harness.space(anna)
    expect(await anna.call('POST', '/api/spaces', { ...body, id: unnamed })).toMatchObject(taken)
  })

  it('has no more than 500 members, those counted whose accounts are lost', async () => {
    await using harness = await createHttpHarness()
    const { platform, clock } = harness
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const spaceId = harness.space(anna)
    for (let nr = 1; nr < limits.maxMembers; nr++) {
      const id = userIdSchema.parse(randomHexId())
      platform.users.add({ id, email: `${nr}@example.org`, name: 'N', passwordHash: 'x' }, clock.now)
      platform.members.add(spaceId, id, 'viewer', clock.now)
    }
    const invite = platform.invites.add({ spaceId, role: 'editor', createdBy: anna.user.id }, clock.now)
    const full = { status: 507, body: { error: { code: 'quota_exceeded' } } }
    expect(await ben.call('POST', `/api/invites/${invite.token}/accept`)).toMatchObject(full)
    expect((await ben.call('GET', `/api/spaces/${spaceId}`)).status).toBe(404)
    // A member who follows the link again is no further one.
    expect((await anna.call('POST', `/api/invites/${invite.token}/accept`)).status).toBe(200)
  })
})

describe('a server that lost a space', () => {
  it('[SI6] registers it again for an owner who has its seal, with its identity and its members', async () => {
    await using before = await createHttpHarness(secret)
    const [anna, ben, cleo] = [
      await before.signUp('Anna'),
      await before.signUp('Ben'),
      await before.signUp('Cleo'),
    ]
    const spaceId = before.space(anna, [
      [ben, 'editor'],
      [cleo, 'viewer'],
    ])
    const space = spaceSchema.parse((await anna.call('GET', `/api/spaces/${spaceId}`)).body)
    const seal = sealOf(before, spaceId)

    await using after = await createHttpHarness(secret)
    const [annaAgain, benAgain] = [await signUpAgain(after, anna), await signUpAgain(after, ben)]
    const body = { id: spaceId, name: 'Shared', seal }
    expect(await benAgain.call('POST', '/api/spaces', body)).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden' } },
    })
    expect(await annaAgain.call('POST', '/api/spaces', body)).toEqual({ status: 201, body: space })
    expect(await annaAgain.call('POST', '/api/spaces', body)).toEqual({ status: 200, body: space })
    const members = ['Anna owner', 'Ben editor']
    expect(await membersOf(annaAgain, spaceId)).toEqual({ members, absent: ['Cleo viewer'] })
    // Without her seal she is somebody else, whose address proves nothing. With it she is back.
    const stranger = await after.signUp('Cleo2')
    expect((await stranger.call('GET', `/api/spaces/${spaceId}`)).status).toBe(404)
    const cleoAgain = await signUpAgain(after, cleo)
    expect(cleoAgain.user).toEqual(cleo.user)
    expect(await membersOf(cleoAgain, spaceId)).toEqual({ members: [...members, 'Cleo viewer'], absent: [] })
  })

  it('[SI6] refuses a seal that is no seal, another server’s, or another space’s', async () => {
    await using harness = await createHttpHarness(secret)
    await using other = await createHttpHarness({ JWT_SECRET: 'a secret that is quite another one' })
    const anna = await harness.signUp('Anna')
    const [mine, lost] = [harness.space(anna), newSpaceId()]
    const foreign = sealOf(other, other.space(await other.signUp('Anna')))
    for (const id of [mine, lost]) {
      for (const seal of ['no seal', foreign, anna.session.seal, sealOf(harness, harness.space(anna))]) {
        expect(await anna.call('POST', '/api/spaces', { id, name: 'Home', seal })).toMatchObject({
          status: 400,
          body: { error: { code: 'invalid_request', at: 'seal' } },
        })
      }
    }
    expect((await anna.call('GET', `/api/spaces/${lost}`)).status).toBe(404)
  })

  it('[SI6] refuses the seal of a space whose id another one has by now', async () => {
    await using before = await createHttpHarness(secret)
    const anna = await before.signUp('Anna')
    const spaceId = before.space(anna)
    const seal = sealOf(before, spaceId)
    await using after = await createHttpHarness(secret)
    const mallory = await after.signUp('Mallory')
    await mallory.call('POST', '/api/spaces', { id: spaceId, name: 'Mine' })
    const annaAgain = await signUpAgain(after, anna)
    const reply = await annaAgain.call('POST', '/api/spaces', { id: spaceId, name: 'Shared', seal })
    expect(reply).toMatchObject({ status: 400, body: { error: { code: 'invalid_request', at: 'seal' } } })
    expect(await membersOf(mallory, spaceId)).toEqual({ members: ['Mallory owner'], absent: [] })
  })

  it('[SI8] does not register one again that was deleted, whatever seal there is', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    const seal = sealOf(harness, spaceId)
    await anna.call('DELETE', `/api/spaces/${spaceId}`)
    for (const proof of [{}, { seal }, { registration: randomHexId() }]) {
      const reply = await anna.call('POST', '/api/spaces', { id: spaceId, name: 'Shared', ...proof })
      expect(reply).toMatchObject({ status: 409, body: { error: { code: 'already_exists', at: 'id' } } })
    }
  })

  it('[SI8] tells no former member by a refusal whether the space was deleted', async () => {
    await using harness = await createHttpHarness()
    const [anna, ben, mallory] = [
      await harness.signUp('Anna'),
      await harness.signUp('Ben'),
      await harness.signUp('Mallory'),
    ]
    const spaceId = harness.space(anna)
    harness.platform.members.add(spaceId, ben.user.id, 'owner', harness.clock.now)
    const seal = sealOf(harness, spaceId)
    await anna.call('DELETE', `/api/spaces/${spaceId}/members/${ben.user.id}`)
    const refusals = () =>
      Promise.all(
        [ben, mallory].flatMap((person) =>
          [{}, { seal }, { registration: randomHexId() }].map((proof) =>
            person.call('POST', '/api/spaces', { id: spaceId, name: 'Home', ...proof }),
          ),
        ),
      )
    const before = await refusals()
    for (const { status } of before) expect(status).toBe(409)
    await anna.call('DELETE', `/api/spaces/${spaceId}`)
    expect(await refusals()).toEqual(before)
  })

  it('lets an owner remove a member whose account is lost, who does not come back then', async () => {
    await using before = await createHttpHarness(secret)
    const [anna, ben] = [await before.signUp('Anna'), await before.signUp('Ben')]
    const spaceId = before.space(anna, [[ben, 'editor']])
    await using after = await createHttpHarness(secret)
    const annaAgain = await signUpAgain(after, anna)
    const body = { id: spaceId, name: 'Shared', seal: sealOf(before, spaceId) }
    await annaAgain.call('POST', '/api/spaces', body)
    const member = `/api/spaces/${spaceId}/members/${ben.user.id}`
    expect((await annaAgain.call('DELETE', member)).status).toBe(204)
    expect((await annaAgain.call('DELETE', member)).status).toBe(404)
    expect(await membersOf(annaAgain, spaceId)).toEqual({ members: ['Anna owner'], absent: [] })
    // The seal from before is no way back either.
    await annaAgain.call('POST', '/api/spaces', body)
    const benAgain = await signUpAgain(after, ben)
    expect(benAgain.user.id).toBe(ben.user.id)
    expect((await benAgain.call('GET', `/api/spaces/${spaceId}`)).status).toBe(404)
  })
})

describe('the seal of an account', () => {
  it('[SI9] gives a lost account its user id back, and is ignored where it is not that', async () => {
    await using before = await createHttpHarness(secret)
    const [anna, ben] = [await before.signUp('Anna'), await before.signUp('Ben')]
    await using after = await createHttpHarness(secret)
    expect((await signUpAgain(after, anna)).user).toEqual(anna.user)
    const registerWith = async (seal: string) => {
      const body = { email: `${randomHexId()}@example.org`, password, name: 'Mallory', seal }
      return sessionSchema.parse((await after.anonymous('POST', '/api/auth/register', body)).body).user.id
    }
    // Of another address, of an account that is there, of a space, and none at all.
    const spaceId = before.space(ben)
    for (const seal of [ben.session.seal, anna.session.seal, sealOf(before, spaceId), 'none']) {
      expect([anna.user.id, ben.user.id]).not.toContain(await registerWith(seal))
    }
    expect((await signUpAgain(after, ben)).user).toEqual(ben.user)
  })

  it('[SI9] [AU7] brings back no account that was deleted, and the address is free for somebody else', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    expect((await anna.call('POST', '/api/auth/delete-account', { password })).status).toBe(204)
    expect((await signUpAgain(harness, anna)).user.id).not.toBe(anna.user.id)
  })

  it('[SI9] [SI11] brings back no account whose address was given up here, by deleting another one', async () => {
    await using before = await createHttpHarness(secret)
    const anna = await before.signUp('Anna')
    await using after = await createHttpHarness(secret)
    const stateFor = async (person: Person) => {
      const reply = await person.call('POST', `/api/accounts/${anna.user.id}`, { seal: anna.session.seal })
      return accountStateSchema.parse(reply.body).state
    }
    // On another device, without the seal.
    const second = await after.signUp('Anna')
    expect(await stateFor(second)).toBe('lost')
    await second.call('POST', '/api/auth/delete-account', { password })
    const next = await signUpAgain(after, anna)
    expect(next.user.id).not.toBe(anna.user.id)
    expect(await stateFor(next)).toBe('deleted')
    // Whoever has another address learns nothing of it.
    expect(await stateFor(await after.signUp('Mallory'))).toBe('lost')
  })

  it('[SI9] [SI11] brings an account back although another one with its address was deleted before it was made', async () => {
    await using before = await createHttpHarness(secret)
    const former = await before.signUp('Anna')
    await former.call('POST', '/api/auth/delete-account', { password })
    const anna = await before.signUp('Anna')
    // A copy from between the two.
    await using after = await createHttpHarness(secret)
    after.platform.users.add({ ...former.user, passwordHash: 'x' }, after.clock.now)
    after.platform.accounts.delete(former.user.id, after.clock.now)
    const other = await after.signUp('Anna')
    const asked = { seal: anna.session.seal }
    const reply = await other.call('POST', `/api/accounts/${anna.user.id}`, asked)
    expect(reply.body).toEqual({ state: 'lost' })

    await using again = await createHttpHarness(secret)
    again.platform.users.add({ ...former.user, passwordHash: 'x' }, again.clock.now)
    again.platform.accounts.delete(former.user.id, again.clock.now)
    expect((await signUpAgain(again, anna)).user.id).toBe(anna.user.id)
  })

  it('[SI11] one that is here, or was deleted, is none that the server has lost', async () => {
    await using harness = await createHttpHarness(secret)
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const state = async () =>
      (await ben.call('POST', `/api/accounts/${anna.user.id}`, { seal: anna.session.seal })).body
    expect(await state()).toEqual({ state: 'here' })
    await anna.call('POST', '/api/auth/delete-account', { password })
    expect(await state()).toEqual({ state: 'deleted' })
  })

  it('[SI9] is in every session that a device gets', async () => {
    await using harness = await createHttpHarness()
    const { user, session } = await harness.signUp('Anna')
    const replies = [
      await harness.anonymous('POST', '/api/auth/login', { email: user.email, password }),
      await harness.anonymous('POST', '/api/auth/refresh', { refreshToken: session.refreshToken }),
    ]
    for (const { body } of replies) {
      const { seal } = sessionSchema.parse(body)
      expect(harness.platform.seals.openAccount(seal)).toMatchObject({ userId: user.id, email: user.email })
    }
  })
})
