import { spaceIdSchema, spaceIdentitySchema, spaceListSchema, type Role } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createHttpHarness, treeOf, type Method, type Person } from '../testing/http-harness.ts'

const id = spaceIdSchema.parse('a'.repeat(32))

describe('spaces', () => {
  it('are registered under the client’s id, listed, renamed and deleted', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const identity: unknown = expect.toSatisfy((it) => spaceIdentitySchema.safeParse(it).success)
    const space = { id, identity, name: 'Home', role: 'owner', createdAt: harness.clock.now }
    expect(await anna.call('POST', '/api/spaces', { id, name: ' Home ' })).toEqual({
      status: 201,
      body: space,
    })
    expect(await anna.call('GET', '/api/spaces')).toEqual({ status: 200, body: { spaces: [space] } })
    expect(await anna.call('GET', `/api/spaces/${id}`)).toEqual({ status: 200, body: space })
    const renamed = { ...space, name: 'House' }
    expect(await anna.call('PATCH', `/api/spaces/${id}`, { name: 'House' })).toEqual({
      status: 200,
      body: renamed,
    })
    expect(await anna.call('DELETE', `/api/spaces/${id}`)).toEqual({ status: 204, body: undefined })
    expect((await anna.call('GET', `/api/spaces/${id}`)).status).toBe(404)
    expect(spaceListSchema.parse((await anna.call('GET', '/api/spaces')).body).spaces).toEqual([])
  })

  it('do not change when a member registers them again', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    await anna.call('POST', '/api/spaces', { id, name: 'Home' })
    const again = await anna.call('POST', '/api/spaces', { id, name: 'Other' })
    expect(again).toMatchObject({ status: 200, body: { name: 'Home', role: 'owner' } })
  })

  it('cannot be taken over by somebody who knows the id', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const mallory = await harness.signUp('Mallory')
    await anna.call('POST', '/api/spaces', { id, name: 'Home' })
    expect(await mallory.call('POST', '/api/spaces', { id, name: 'Mine' })).toMatchObject({
      status: 409,
      body: { error: { code: 'already_exists' } },
    })
    expect((await mallory.call('GET', `/api/spaces/${id}`)).status).toBe(404)
  })

  it.each(['../../etc/passwd', 'A'.repeat(32), `${'a'.repeat(31)}/`, '', '__proto__'])(
    'have no id such as %j',
    async (bad) => {
      await using harness = await createHttpHarness()
      const anna = await harness.signUp('Anna')
      expect(await anna.call('POST', '/api/spaces', { id: bad, name: 'Home' })).toMatchObject({
        status: 400,
        body: { error: { code: 'invalid_request', at: 'id' } },
      })
    },
  )

  it('can be read as trees from the server’s replica', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    const tree = treeOf(spaceId, 'notes')
    harness.trees.set('notes', tree)
    expect(await anna.call('GET', `/api/spaces/${spaceId}/trees/notes`)).toEqual({ status: 200, body: tree })
    expect((await anna.call('GET', `/api/spaces/${spaceId}/trees/other`)).status).toBe(404)
    expect((await anna.call('GET', `/api/spaces/${spaceId}/trees/a@b`)).status).toBe(400)
    for (const wrong of ['-1', '1.5', 'yesterday']) {
      expect(await anna.call('GET', `/api/spaces/${spaceId}/trees/notes?at=${wrong}`)).toMatchObject({
        status: 400,
        body: { error: { code: 'invalid_request', at: 'at' } },
      })
    }
  })
})

describe('deleting a space', () => {
  it('closes its sockets before it removes its file', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    await anna.call('DELETE', `/api/spaces/${spaceId}`)
    expect(harness.told).toEqual([`spaceDeleted ${spaceId}`, `fileRemoved ${spaceId}`])
    expect(harness.platform.spaceRecords.pendingDeletions()).toEqual([])
  })

  it('[SI8] remembers a file that could not be removed, and never gives the id out again', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    const spaceId = harness.space(anna)
    harness.failNextRemoval()
    expect((await anna.call('DELETE', `/api/spaces/${spaceId}`)).status).toBe(204)
    expect((await anna.call('GET', `/api/spaces/${spaceId}`)).status).toBe(404)
    expect(harness.platform.spaceRecords.pendingDeletions()).toEqual([spaceId])
    const taken = { status: 409, body: { error: { code: 'already_exists', at: 'id' } } }
    for (const person of [ben, anna]) {
      expect(await person.call('POST', '/api/spaces', { id: spaceId, name: 'Mine' })).toMatchObject(taken)
    }
    await harness.spaceDeletion.finishAll()
    expect(harness.told.at(-1)).toBe(`fileRemoved ${spaceId}`)
    expect(harness.platform.spaceRecords.pendingDeletions()).toEqual([])
    expect(await anna.call('POST', '/api/spaces', { id: spaceId, name: 'Mine' })).toMatchObject(taken)
  })
})

describe('who may do what', () => {
  type Outcome = 'yes' | 'forbidden' | 'not found'
  // `newer-role` stands for a role of a newer server's database (RO1).
  type Expected = Record<Role | 'newer-role' | 'removed' | 'stranger', Outcome>
  const forAll: Expected = {
    owner: 'yes',
    editor: 'yes',
    viewer: 'yes',
    'newer-role': 'forbidden',
    removed: 'not found',
    stranger: 'not found',
  }
  const forOwners: Expected = { ...forAll, editor: 'forbidden', viewer: 'forbidden' }
  const cases: readonly (readonly [Method, string, object | undefined, Expected])[] = [
    ['GET', '', undefined, forAll],
    ['PATCH', '', { name: 'Renamed' }, { ...forAll, viewer: 'forbidden' }],
    ['DELETE', '', undefined, forOwners],
    ['GET', '/members', undefined, forAll],
    ['PATCH', '/members/:other', { role: 'viewer' }, forOwners],
    ['DELETE', '/members/:other', undefined, forOwners],
    // Every member may leave.
    ['DELETE', '/members/:self', undefined, { ...forAll, owner: 'forbidden', 'newer-role': 'yes' }],
    ['POST', '/invites', { role: 'editor' }, forOwners],
    ['GET', '/invites', undefined, forOwners],
    ['DELETE', '/invites/:invite', undefined, forOwners],
    ['GET', '/trees/notes', undefined, forAll],
  ]
  const statuses: Record<Outcome, readonly number[]> = {
    yes: [200, 201, 204],
    forbidden: [403],
    'not found': [404],
  }

  it.each(cases)(
    '[RO1] %s /api/spaces/:spaceId%s asks the table of rights',
    async (method, path, body, expected) => {
      await using harness = await createHttpHarness()
      const owner = await harness.signUp('Owner')
      const somebody = await harness.signUp('Somebody')
      const other = await harness.signUp('Other')
      for (const [who, outcome] of Object.entries(expected)) {
        const person = who === 'owner' ? owner : somebody
        const members: [Person, Role][] = [[other, 'editor']]
        if (who === 'editor' || who === 'viewer') members.push([person, who])
        if (who === 'newer-role' || who === 'removed') members.push([person, 'editor'])
        const spaceId = harness.space(owner, members)
        if (who === 'newer-role') harness.setUnknownRole(spaceId, person, who)
        if (who === 'removed') harness.platform.members.remove(spaceId, person.user.id)
        harness.trees.set('notes', treeOf(spaceId, 'notes'))
        const invite = { spaceId, role: 'editor', createdBy: owner.user.id } as const
        const { id: inviteId } = harness.platform.invites.add(invite, harness.clock.now)
        const place = path
          .replace(':other', other.user.id)
          .replace(':self', person.user.id)
          .replace(':invite', inviteId)

        const reply = await person.call(method, `/api/spaces/${spaceId}${place}`, body)
        expect(statuses[outcome], `${who}: ${JSON.stringify(reply)}`).toContain(reply.status)
      }
    },
  )

  it('[RO1] a role that is not in the table sees its space listed, and nothing of it by another way in', async () => {
    await using harness = await createHttpHarness()
    const [owner, person] = [await harness.signUp('Owner'), await harness.signUp('Person')]
    const spaceId = harness.space(owner, [[person, 'editor']])
    harness.setUnknownRole(spaceId, person, 'newer-role')
    const forbidden = { status: 403, body: { error: { code: 'forbidden' } } }
    const { spaces } = spaceListSchema.parse((await person.call('GET', '/api/spaces')).body)
    expect(spaces).toMatchObject([{ id: spaceId, role: 'newer-role' }])
    const registration = { id: spaceId, name: 'Mine' }
    expect(await person.call('POST', '/api/spaces', registration)).toMatchObject(forbidden)
    const invite = { spaceId, role: 'editor', createdBy: owner.user.id } as const
    const { token } = harness.platform.invites.add(invite, harness.clock.now)
    expect(await person.call('POST', `/api/invites/${token}/accept`)).toMatchObject(forbidden)
    expect(harness.platform.members.roleOf(spaceId, person.user.id)).toBe('newer-role')
    // An invite that such a member made lets nobody in.
    const byPerson = harness.platform.invites.add({ ...invite, createdBy: person.user.id }, harness.clock.now)
    const stranger = await harness.signUp('Stranger')
    const tried = await stranger.call('POST', `/api/invites/${byPerson.token}/accept`)
    expect(tried).toMatchObject({ status: 410, body: { error: { code: 'invite_expired' } } })
  })

  it.each(cases)('%s /api/spaces/:spaceId%s takes a valid token', async (method, path, body) => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    const url = `/api/spaces/${spaceId}${path.replace(/:(other|self|invite)/, anna.user.id)}`
    const unauthenticated = { status: 401, body: { error: { code: 'unauthenticated' } } }

    expect(await harness.anonymous(method, url, body), 'none').toMatchObject(unauthenticated)
    expect(await harness.withToken('nonsense')(method, url, body), 'nonsense').toMatchObject(unauthenticated)
    const forged = `${anna.session.accessToken.slice(0, -4)}AAAA`
    expect(await harness.withToken(forged)(method, url, body), 'forged').toMatchObject(unauthenticated)
    const [, claims] = anna.session.accessToken.split('.')
    const unsigned = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${claims}.`
    expect(await harness.withToken(unsigned)(method, url, body), 'unsigned').toMatchObject(unauthenticated)
    const refresh = harness.withToken(anna.session.refreshToken!)
    expect(await refresh(method, url, body), 'refresh token').toMatchObject(unauthenticated)
    harness.clock.now += 15 * 60_000 + 1000
    expect(await anna.call(method, url, body), 'expired').toMatchObject(unauthenticated)
  })
})
