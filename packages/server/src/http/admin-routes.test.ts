import { randomHexId, spaceIdSchema, type UserId } from '@t69/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { createHttpHarness, password, type HttpHarness, type Person } from '../testing/http-harness.ts'

const refused = (reason: string) => ({ status: 403, body: { error: { code: 'forbidden', reason } } })
const forbidden = refused('not_admin')

describe('The routes of the admin page', () => {
  let http: HttpHarness
  let anna: Person
  let ben: Person
  beforeEach(async () => {
    http = await createHttpHarness()
    // The first account is the administrator's.
    anna = await http.signUp('Anna')
    ben = await http.signUp('Ben')
  })
  afterEach(async () => http[Symbol.asyncDispose]())

  const setRole = (id: UserId, role: 'admin' | 'member') => http.platform.directory.setRole(id, role)
  const actions = (id: UserId) => http.platform.audit.ofUser(id, 50)

  it('answer no member, not even that a body is wrong, and a demoted admin no more from that moment on', async () => {
    for (const path of [
      'overview',
      'users',
      'spaces',
      'connections',
      'audit',
      'invites',
      `users/${ben.user.id}`,
    ]) {
      expect(await ben.call('GET', `/api/admin/${path}`)).toMatchObject(forbidden)
      expect((await anna.call('GET', `/api/admin/${path}`)).status).toBe(200)
    }
    for (const path of [
      'registration',
      'invites',
      `users/${ben.user.id}/role`,
      `users/${anna.user.id}/delete`,
    ]) {
      expect(await ben.call('POST', `/api/admin/${path}`, { nonsense: 1 })).toMatchObject(forbidden)
    }
    setRole(ben.user.id, 'admin')
    expect((await ben.call('GET', '/api/admin/users')).status).toBe(200)
    setRole(ben.user.id, 'member')
    expect(await ben.call('GET', '/api/admin/users')).toMatchObject(forbidden)
    expect(await http.anonymous('GET', '/api/admin/users')).toMatchObject({ status: 401 })
  })

  it('take the password for what gives access to an account or destroys something, and do nothing without it', async () => {
    const spaceId = http.space(ben)
    const { id } = ben.user
    for (const [path, body] of [
      [`users/${id}/role`, { role: 'admin' }],
      [`users/${id}/password-link`, {}],
      [`users/${id}/delete`, {}],
      [`spaces/${spaceId}/delete`, {}],
    ] as const) {
      const wrong = { status: 401, body: { error: { code: 'wrong_credentials' } } }
      expect(
        await anna.call('POST', `/api/admin/${path}`, { ...body, password: 'guessed' }),
        path,
      ).toMatchObject(wrong)
      expect(await anna.call('POST', `/api/admin/${path}`, body), path).toMatchObject(wrong)
    }
    expect(actions(id).map(({ action }) => action)).toEqual(['account created'])
    expect((await anna.call('GET', `/api/admin/users/${id}`)).body).toMatchObject({ role: 'member' })
    // One budget with the other routes that ask for it.
    for (let i = 0; i < 20; i++) await anna.call('POST', '/api/auth/delete-account', { password: 'guessed' })
    expect(await anna.call('POST', `/api/admin/users/${id}/delete`, { password })).toMatchObject({
      status: 429,
    })
  })

  it('do nothing for an admin who was demoted while the password was checked', async () => {
    setRole(ben.user.id, 'admin')
    const asked = http.passwordAsked()
    const deleting = ben.call('POST', `/api/admin/users/${anna.user.id}/delete`, { password })
    await asked
    setRole(ben.user.id, 'member')
    expect(await deleting).toMatchObject(forbidden)
    expect(http.platform.users.byId(anna.user.id)).toBeDefined()
  })

  it('do nothing for an admin who was demoted while logs were asked who is in the spaces', async () => {
    setRole(ben.user.id, 'admin')
    http.logs.asked = () => setRole(ben.user.id, 'member')
    const deleting = ben.call('POST', `/api/admin/users/${anna.user.id}/delete`, { password })
    expect(await deleting).toMatchObject({
      ...forbidden,
      body: { error: { message: 'This takes an admin of the server' } },
    })
    expect(http.platform.users.byId(anna.user.id)).toBeDefined()
  })

  it('show nothing to an admin who was demoted while a request waited for others', async () => {
    setRole(ben.user.id, 'admin')
    const asked = vi.spyOn(http.platform.adminPages, 'roleOf').mockImplementationOnce((id) => {
      setRole(id, 'member')
      return 'admin'
    })
    expect(await ben.call('GET', '/api/admin/users')).toMatchObject(forbidden)
    asked.mockRestore()
  })

  it('note who did what, to whom, and from where', async () => {
    const spaceId = http.space(ben)
    const { id } = ben.user
    const did = async (path: string, body?: object) =>
      expect((await anna.call('POST', `/api/admin/${path}`, body)).status).toBeLessThan(300)
    await did(`users/${id}/role`, { role: 'admin', password })
    await did(`users/${id}/role`, { role: 'member', password })
    await did(`users/${id}/password-link`, { password })
    await did(`users/${id}/sign-out`)
    await did(`spaces/${spaceId}/delete`, { password })
    await did(`users/${id}/delete`, { password })
    await did('registration', { mode: 'closed' })
    await did('registration', { mode: null })
    await did('invites')
    const list = await anna.call('GET', '/api/admin/invites')
    const [invite] = (list.body as { invites: { id: string }[] }).invites
    expect((await anna.call('DELETE', `/api/admin/invites/${invite?.id}`)).status).toBe(204)
    expect((await anna.call('DELETE', `/api/admin/invites/${invite?.id}`)).status).toBe(404)

    const audit = await anna.call('GET', `/api/admin/audit?user=${anna.user.id}`)
    const { entries } = audit.body as {
      entries: { action: string; by: object; address: string; user: object | null; space: object | null }[]
    }
    expect(entries.map(({ action }) => action)).toEqual([
      'invite to the server withdrawn',
      'invite to the server made',
      'registration by the setting',
      'registration closed',
      'account deleted',
      'space deleted',
      'signed out everywhere',
      'link to set a password made',
      'made a member',
      'made an admin',
      'account created',
    ])
    for (const { by, address } of entries) {
      expect([by, address]).toEqual([{ id: anna.user.id, email: 'anna@example.org' }, '127.0.0.1'])
    }
    // A name is erased with the account.
    expect(entries[4]).toMatchObject({ user: { id, email: null }, space: null })
    expect(entries[5]).toMatchObject({ space: { id: spaceId, name: null } })
    expect(http.told).toEqual(expect.arrayContaining(['sessionsReviewed', `fileRemoved ${spaceId}`]))
  })

  it('leave at least one admin: neither the last one is demoted, nor deletes an admin themselves here', async () => {
    const { id } = anna.user
    expect(
      await anna.call('POST', `/api/admin/users/${id}/role`, { role: 'member', password }),
    ).toMatchObject(refused('last_admin'))
    expect(await anna.call('POST', `/api/admin/users/${id}/delete`, { password })).toMatchObject(
      refused('own_account'),
    )
    setRole(ben.user.id, 'admin')
    expect(
      await anna.call('POST', `/api/admin/users/${id}/role`, { role: 'member', password }),
    ).toMatchObject({
      status: 200,
      body: { role: 'member' },
    })
  })

  it('say no to deleting the last owner of a space with others, and which spaces go with an account', async () => {
    const alone = http.space(ben)
    expect((await anna.call('GET', `/api/admin/users/${ben.user.id}`)).body).toMatchObject({
      spaceList: [{ id: alone, isAlone: true }],
      passkeyList: [],
    })
    const shared = http.space(ben, [[anna, 'editor']])
    expect(await anna.call('POST', `/api/admin/users/${ben.user.id}/delete`, { password })).toMatchObject({
      status: 403,
      body: {
        error: { reason: 'last_owner', message: expect.stringContaining('This account is the last owner') },
      },
    })
    expect((await anna.call('GET', `/api/admin/spaces/${shared}`)).body).toMatchObject({
      members: 2,
      bytes: 0,
      lastWrittenAt: null,
      isFailing: false,
      memberList: [
        { email: 'ben@example.org', role: 'owner' },
        { email: 'anna@example.org', role: 'editor' },
      ],
    })
  })

  it('make links that work: to sign up once, and to set another password', async () => {
    const link = async (path: string, body?: object) => {
      const { url } = (await anna.call('POST', `/api/admin/${path}`, body)).body as { url: string }
      return new URL(url)
    }
    const invite = await link('invites')
    const token = invite.hash.replace('#sign-up=', '')
    await anna.call('POST', '/api/admin/registration', { mode: 'invite' })
    const cleo = { email: 'cleo@example.org', name: 'Cleo', password, invite: token }
    expect((await http.anonymous('POST', '/api/auth/register', cleo)).status).toBe(201)
    const set = await link(`users/${ben.user.id}/password-link`, { password })
    const body = { token: set.hash.replace('#set-password=', ''), newPassword: 'mine from now on' }
    expect(await http.anonymous('POST', '/api/auth/password-link', body)).toMatchObject({
      status: 200,
      body: { user: { id: ben.user.id } },
    })
  })

  it('list sockets, and spaces that fail, by what they are called', async () => {
    const spaceId = http.space(ben)
    const unknown = spaceIdSchema.parse(randomHexId())
    for (let nr = 3; nr > 0; nr--) {
      http.sockets.push({ nr, userId: ben.user.id, sessionId: 'none', since: nr, joined: [spaceId, unknown] })
    }
    http.failing.set(spaceId, 7)
    const first = await anna.call('GET', '/api/admin/connections?limit=2')
    expect(first.body).toMatchObject({
      connections: [
        {
          nr: 3,
          user: { email: 'ben@example.org' },
          spaces: [{ name: 'Shared' }, { name: null }],
          joined: 2,
        },
        { nr: 2 },
      ],
      next: 2,
    })
    expect((await anna.call('GET', '/api/admin/connections?limit=2&after=2')).body).toEqual({
      connections: [expect.objectContaining({ nr: 1 })],
    })
    expect((await anna.call('GET', '/api/admin/overview')).body).toMatchObject({
      users: 2,
      connections: 3,
      trouble: { failing: [{ id: spaceId, name: 'Shared', at: 7 }] },
    })
    expect((await anna.call('GET', '/api/admin/spaces?search=ben@')).body).toMatchObject({
      spaces: [{ id: spaceId, isFailing: true, owner: 'ben@example.org' }],
    })
  })

  it('give at most 50 entries a page, which no cache keeps', async () => {
    expect((await anna.call('GET', '/api/admin/users?limit=51')).status).toBe(400)
    const headers = { authorization: `Bearer ${anna.session.accessToken}` }
    const answer = await http.app.inject({ url: '/api/admin/users', headers })
    expect(answer.headers['cache-control']).toBe('no-store')
  })
})
