import { inviteListSchema, inviteSchema } from '@t69/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createCast, type Cast } from '../lib/cast.ts'
import { startLiveServer, type LiveServer, type Person } from '../lib/live-server.ts'
import { connectRaw } from '../lib/raw-socket.ts'

/** What an invite gives access to, and for how long. */

let server: LiveServer
let cast: Cast
beforeAll(async () => {
  server = await startLiveServer()
  cast = await createCast(server)
})
afterAll(async () => {
  await cast[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const dayMs = 86_400_000

async function accept(person: Person, token: string): Promise<string> {
  return (await person.call('POST', `/api/invites/${encodeURIComponent(token)}/accept`)).outcome
}

test('an invite gives access to its own space and no other', async () => {
  const [invited, other] = [await cast.space(), await cast.space()]
  const { stranger } = cast.people
  expect(await accept(stranger, await cast.invite(invited, 'viewer'))).toBe('200')
  using socket = await connectRaw(server.url, stranger.token)
  expect(await socket.request('space:join', { spaceId: invited })).toMatchObject({ ok: true, role: 'viewer' })
  expect(await socket.outcomeOf('space:join', { spaceId: other })).toBe('not_found')
  expect((await stranger.call('GET', `/api/spaces/${other}`)).outcome).toBe('404 not_found')
})

test.each([
  ['garbage', 'nonsense', '404 not_found'],
  ['another server’s', 'A'.repeat(43), '404 not_found'],
  ['an inherited name', '__proto__', '404 not_found'],
  ['a path', '../../me', '404 not_found'],
  ['longer than any', 'x'.repeat(101), '400 invalid_request'],
])('an invite that is %s lets nobody in', async (_, token, outcome) => {
  expect(await accept(cast.people.stranger, token)).toBe(outcome)
})

test('an invite that has expired lets nobody in', async () => {
  const spaceId = await cast.space()
  const token = await cast.invite(spaceId, 'editor')
  await server.atOffset(8 * dayMs, async () => {
    const stranger = await server.signIn(cast.people.stranger)
    expect(await accept(stranger, token)).toBe('410 invite_expired')
    expect((await stranger.call('GET', `/api/spaces/${spaceId}`)).outcome).toBe('404 not_found')
  })
})

test('an invite to a deleted space lets nobody in, and its id is no way to another one', async () => {
  const spaceId = await cast.space()
  const { owner, stranger, removed } = cast.people
  const token = await cast.invite(spaceId, 'editor')
  await owner.call('DELETE', `/api/spaces/${spaceId}`)
  expect(await accept(stranger, token)).toBe('404 not_found')
  expect((await removed.call('POST', '/api/spaces', { id: spaceId, name: 'Mine now' })).outcome).toBe(
    '409 already_exists',
  )
  expect(await accept(stranger, token)).toBe('404 not_found')
  using socket = await connectRaw(server.url, removed.token)
  expect(await socket.outcomeOf('space:join', { spaceId })).toBe('not_found')
})

test('an older invite neither lets in a removed member nor restores the role of a demoted one', async () => {
  const spaceId = await cast.space()
  const { owner, editor, viewer } = cast.people
  const member = `/api/spaces/${spaceId}/members/${editor.user.id}`
  const editors = await cast.invite(spaceId, 'editor')
  expect((await owner.call('PATCH', member, { role: 'viewer' })).outcome).toBe('200')
  expect(await accept(editor, editors)).toBe('410 invite_expired')
  expect((await editor.call('DELETE', member)).outcome).toBe('204')
  expect(await accept(editor, editors)).toBe('410 invite_expired')

  const viewers = await cast.invite(spaceId, 'viewer')
  expect((await owner.call('DELETE', `/api/spaces/${spaceId}/members/${viewer.user.id}`)).outcome).toBe('204')
  expect(await accept(viewer, viewers)).toBe('410 invite_expired')
})

test('an invite that an owner withdrew lets nobody in, and other invites still do', async () => {
  const spaceId = await cast.space()
  const { owner, editor, viewer, stranger, removed } = cast.people
  const [withdrawn, kept] = [await cast.invite(spaceId, 'editor'), await cast.invite(spaceId, 'viewer')]
  const list = async (who: Person) => who.call('GET', `/api/spaces/${spaceId}/invites`)
  const { invites } = inviteListSchema.parse((await list(owner)).body)
  const { id } = invites.find(({ role }) => role === 'editor')!
  for (const who of [editor, viewer, removed, stranger]) {
    expect((await list(who)).status, who.user.name).not.toBe(200)
    const refused = await who.call('DELETE', `/api/spaces/${spaceId}/invites/${id}`)
    expect(refused.status, who.user.name).toBeGreaterThanOrEqual(400)
  }
  expect((await owner.call('DELETE', `/api/spaces/${spaceId}/invites/${id}`)).outcome).toBe('204')
  expect(await accept(stranger, withdrawn)).toBe('410 invite_expired')
  expect(await accept(stranger, kept)).toBe('200')
  expect(JSON.stringify((await list(owner)).body)).not.toContain(kept)
})

test('an invite never raises a member’s role', async () => {
  const spaceId = await cast.space()
  const token = await cast.invite(spaceId, 'editor')
  const reply = await cast.people.viewer.call('POST', `/api/invites/${token}/accept`)
  expect(reply.body).toMatchObject({ id: spaceId, role: 'viewer' })
})

test('an invite is void once its creator is no longer an owner', async () => {
  const spaceId = await cast.space()
  const { owner, editor, stranger } = cast.people
  const members = `/api/spaces/${spaceId}/members`
  await owner.call('PATCH', `${members}/${editor.user.id}`, { role: 'owner' })
  const made = await editor.call('POST', `/api/spaces/${spaceId}/invites`, { role: 'viewer' })
  await owner.call('PATCH', `${members}/${editor.user.id}`, { role: 'editor' })
  expect(await accept(stranger, inviteSchema.parse(made.body).token)).toBe('410 invite_expired')
})
