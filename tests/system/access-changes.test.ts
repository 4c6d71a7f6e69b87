import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { randomHexId, sessionListSchema, sessionSchema, spaceIdSchema, type SpaceId } from '@t69/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createCast, freshEdit, type Cast } from '../lib/cast.ts'
import { password, startLiveServer, type LiveServer, type Person } from '../lib/live-server.ts'
import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'

/**
 * A person with a live socket in a space loses access to it. From the response to that change on, nothing of the space
 * reaches them and nothing of theirs is accepted: on their socket, on any new one, and with any token they still have.
 */

let server: LiveServer
let cast: Cast
let spaceId: SpaceId
let witness: RawSocket
/** A separate session of the editor, live in the space and shown in it. */
let victim: Person
let socket: RawSocket

beforeEach(async () => {
  server = await startLiveServer()
  cast = await createCast(server)
  spaceId = await cast.space()
  witness = cast.ownerSocket
  await witness.request('space:join', { spaceId })
  victim = await server.signIn(cast.people.editor)
  socket = await connectRaw(server.url, victim.token)
  await socket.request('space:join', { spaceId })
  socket.io.emit('presence:set', { spaceId, state: { here: true } })
  await socket.fence()
})

afterEach(async () => {
  socket[Symbol.dispose]()
  await cast[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const member = () => `/api/spaces/${spaceId}/members/${cast.people.editor.user.id}`
const change = { treeId: 't', targetId: 'v', key: 'text', value: 'secret' }

/** The owner does everything that others in the space would be told of. */
async function ownerActs(): Promise<void> {
  expect(await witness.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch })).toBe('ok')
  witness.io.emit('ops:transient', { spaceId, changes: [change] })
  witness.io.emit('presence:set', { spaceId, state: { at: Math.random() } })
  await witness.fence()
}

async function head(): Promise<number> {
  const ack = await witness.request('ops:pull', { spaceId, after: 0 })
  return ack.ok ? ack.head : -1
}

/** Sends every request and signal from an open socket, and checks that nobody is told of any. Returns the outcomes. */
async function attempts(from: RawSocket): Promise<Record<string, string>> {
  const before = await head()
  await witness.fence()
  const heard = witness.heard.length
  const outcomes = {
    push: await from.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch }),
    pull: await from.outcomeOf('ops:pull', { spaceId, after: 0 }),
    join: await from.outcomeOf('space:join', { spaceId }),
    pushAfter: await from.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch }),
  }
  from.io.emit('ops:transient', { spaceId, changes: [change] })
  from.io.emit('presence:set', { spaceId, state: { still: 'here' } })
  await from.fence()
  await witness.fence()
  expect(witness.heard.slice(heard)).toEqual([])
  expect(await head()).toBe(before)
  return outcomes
}

const outside = { push: 'not_joined', pull: 'not_joined', join: 'not_found', pushAfter: 'not_joined' }

describe('losing the space', () => {
  test.each<[string, 'removed' | 'deleted', () => Promise<{ outcome: string }>]>([
    ['removed by an owner', 'removed', () => cast.people.owner.call('DELETE', member())],
    ['leaving from another device', 'removed', () => cast.people.editor.call('DELETE', member())],
    ['a deleted space', 'deleted', () => cast.people.owner.call('DELETE', `/api/spaces/${spaceId}`)],
  ])(
    '[AU6] %s: the socket is told nothing more and may write nothing, even after reconnecting',
    async (_, reason, act) => {
      const goneId = socket.io.id
      expect((await act()).outcome).toBe('204')
      expect(await socket.next('space:closed')).toEqual({ spaceId, reason })
      const heard = socket.heard.length
      const isThere = reason === 'removed'
      await witness.fence()
      const gone = witness.payloads('presence:changed').flatMap((it) => it.gone)
      // Nobody is told anything else of a deleted space.
      expect(isThere ? gone : [goneId]).toEqual([goneId])
      if (isThere) await ownerActs()
      await socket.fence()
      expect(socket.heard.slice(heard)).toEqual([])
      expect(await attempts(socket)).toEqual(outside)

      for (let again = 0; again < 3; again++) {
        using returned = await connectRaw(server.url, (await server.signIn(victim)).token)
        expect(await attempts(returned)).toEqual(outside)
        if (isThere) await ownerActs()
        await returned.fence()
        expect(returned.heard).toEqual([])
        expect((await victim.call('GET', `/api/spaces/${spaceId}/trees/${spaceId}`)).outcome).toBe(
          '404 not_found',
        )
      }
      expect(socket.heard.slice(heard)).toEqual([])
    },
  )

  test('[SI8] nobody gets a space with the id of a deleted one', async () => {
    await cast.people.owner.call('DELETE', `/api/spaces/${spaceId}`)
    for (const person of Object.values(cast.people)) {
      const { outcome } = await person.call('POST', '/api/spaces', { id: spaceId, name: 'Mine' })
      expect(outcome).toBe('409 already_exists')
    }
    using stranger = await connectRaw(server.url, cast.people.stranger.token)
    expect(await stranger.outcomeOf('space:join', { spaceId })).toBe('not_found')
    const heard = socket.heard.length
    expect(await socket.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch })).toBe(
      'not_joined',
    )
    expect(await socket.outcomeOf('space:join', { spaceId })).toBe('not_found')
    expect(socket.heard.slice(heard)).toEqual([])
  })

  test('[AU6] pushes in flight at a removal are each acked or refused, and none is committed later', async () => {
    const sent = Array.from({ length: 60 }, (_, nth) => {
      const answer = socket.request('ops:push', { spaceId, batch: freshEdit(spaceId).batch })
      return { nth, answer }
    })
    const removed = cast.people.owner.call('DELETE', member())
    const answers = await Promise.all(sent.map(({ answer }) => answer))
    await removed
    const atRemoval = await head()
    const taken = answers.filter((ack) => ack.ok).length
    const codes = new Set(answers.flatMap((ack) => (ack.ok ? [] : [ack.error.code])))
    expect([...codes].filter((code) => code !== 'not_joined' && code !== 'not_found')).toEqual([])
    // Two operations of the root, and the acked ones.
    expect(atRemoval).toBe(2 + taken)
    expect(await attempts(socket)).toEqual(outside)
  })
})

test('[AU6] an editor made a viewer may not write, even after reconnecting, and still sees what others do', async () => {
  expect((await cast.people.owner.call('PATCH', member(), { role: 'viewer' })).outcome).toBe('200')
  expect(await socket.next('space:closed')).toEqual({ spaceId, reason: 'changed' })
  const push = () => socket.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch })
  expect(await push()).toBe('not_joined')
  for (let again = 0; again < 2; again++) {
    expect(await socket.request('space:join', { spaceId })).toMatchObject({ ok: true, role: 'viewer' })
    const before = await head()
    const heard = witness.payloads('ops:transient').length
    expect(await push()).toBe('forbidden')
    socket.io.emit('ops:transient', { spaceId, changes: [change] })
    await socket.fence()
    expect(await head()).toBe(before)
    expect(witness.payloads('ops:transient')).toHaveLength(heard)
    await ownerActs()
    await socket.next('ops:appended')
    socket[Symbol.dispose]()
    socket = await connectRaw(server.url, victim.token)
  }
})

describe('a session that ends', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['signing out', () => victim.call('POST', '/api/auth/logout', { refreshToken: victim.refreshToken })],
    ['signing out everywhere, on another device', signOutEverywhere],
    ['being ended from another device', endFromElsewhere],
    ['signing out everywhere else, on another device', signOutElsewhere],
    ['a refresh token used twice', reuse],
    ['a password changed on another device', () => changePassword(cast.people.editor)],
    ['a password changed on this device', () => changePassword(victim)],
  ])('[AU5] %s disconnects the socket, and no token of the session opens another', async (_, end) => {
    await end()
    expect(await socket.ended).toBe('io server disconnect')
    const heard = socket.heard.length
    await ownerActs()
    expect(socket.heard.slice(heard)).toEqual([])
    for (let again = 0; again < 3; again++) {
      await expect(connectRaw(server.url, victim.token)).rejects.toMatchObject({ code: 'unauthenticated' })
    }
    expect((await victim.call('GET', '/api/me')).outcome).toBe('401 unauthenticated')
    const refreshed = await server.call(undefined, 'POST', '/api/auth/refresh', {
      refreshToken: victim.refreshToken,
    })
    expect(refreshed.outcome).toBe('401 unauthenticated')
    expect(witness.payloads('presence:changed').some(({ gone }) => gone.includes(socket.io.id ?? ''))).toBe(
      false,
    )
    expect(witness.payloads('presence:changed').flatMap(({ gone }) => gone)).toHaveLength(1)
  })

  async function signOutEverywhere(): Promise<void> {
    const other = await server.signIn(victim)
    await other.call('POST', '/api/auth/logout', { refreshToken: other.refreshToken, everywhere: true })
    for (const token of [other.token, cast.people.editor.token]) {
      expect((await server.call(token, 'GET', '/api/me')).outcome).toBe('401 unauthenticated')
    }
  }

  async function endFromElsewhere(): Promise<void> {
    const other = await server.signIn(victim)
    const list = sessionListSchema.parse((await victim.call('GET', '/api/sessions')).body)
    const id = list.sessions.find(({ isThis }) => isThis)?.id
    expect((await other.call('DELETE', `/api/sessions/${id}`)).outcome).toBe('204')
    expect((await other.call('GET', '/api/me')).outcome).toBe('200')
  }

  async function signOutElsewhere(): Promise<void> {
    const other = await server.signIn(victim)
    expect((await other.call('DELETE', '/api/sessions')).outcome).toBe('204')
    expect((await other.call('GET', '/api/me')).outcome).toBe('200')
  }

  async function changePassword(person: Person): Promise<void> {
    const body = { password, newPassword: 'a better battery' }
    const changed = await person.call('POST', '/api/auth/change-password', body)
    // The session that continues is another.
    const { accessToken } = sessionSchema.parse(changed.body)
    using fresh = await connectRaw(server.url, accessToken)
    expect(await fresh.outcomeOf('space:join', { spaceId })).toBe('ok')
  }

  /** A thief uses the refresh token, and the owner of the session uses the same one long after. */
  async function reuse(): Promise<void> {
    const { refreshToken } = victim
    const refresh = () => server.call(undefined, 'POST', '/api/auth/refresh', { refreshToken })
    expect((await refresh()).outcome).toBe('200')
    expect((await server.atOffset(60_000, refresh)).outcome).toBe('401 unauthenticated')
  }

  test('[AU5] the end of a session does not affect the person’s other devices', async () => {
    const other = await server.signIn(victim)
    await other.call('POST', '/api/auth/logout', { refreshToken: other.refreshToken })
    expect(await socket.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch })).toBe('ok')
  })
})

describe('a deleted account', () => {
  const deleteAccount = () =>
    server.call(cast.people.editor.token, 'POST', '/api/auth/delete-account', { password })

  test('[AU7] from the response on, a deleted account is told nothing and may write nothing, even after reconnecting', async () => {
    const goneId = socket.io.id
    using idle = await connectRaw(server.url, cast.people.editor.token)
    await idle.request('space:join', { spaceId })
    const heard = { socket: socket.heard.length, idle: idle.heard.length, witness: witness.heard.length }
    const before = await head()
    expect((await deleteAccount()).outcome).toBe('204')
    // Others are told only that the person is gone.
    await witness.fence()
    expect(witness.heard.slice(heard.witness)).toMatchObject([
      { name: 'presence:changed', payload: { spaceId, present: [], gone: [goneId] } },
      { name: 'space:sealed', payload: { spaceId } },
    ])
    await ownerActs()
    expect(await socket.ended).toBe('io server disconnect')
    expect(await idle.ended).toBe('io server disconnect')
    expect(socket.heard.slice(heard.socket)).toEqual([])
    expect(idle.heard.slice(heard.idle)).toEqual([])
    // The tokens are signed and have not expired.
    for (const { token, refreshToken } of [victim, cast.people.editor]) {
      for (let again = 0; again < 3; again++) {
        await expect(connectRaw(server.url, token)).rejects.toMatchObject({ code: 'unauthenticated' })
      }
      expect((await server.call(token, 'GET', `/api/spaces/${spaceId}/trees/${spaceId}`)).outcome).toBe(
        '401 unauthenticated',
      )
      const refreshed = await server.call(undefined, 'POST', '/api/auth/refresh', { refreshToken })
      expect(refreshed.outcome).toBe('401 unauthenticated')
    }
    // Only the owner's edit was committed.
    expect(await head()).toBe(before + 1)
    const members = await cast.people.owner.call('GET', `/api/spaces/${spaceId}/members`)
    expect(JSON.stringify(members.body)).not.toContain('Edna')
  })

  test('[AU7] pushes in flight when an account is deleted are acked or lost, and none is committed later', async () => {
    let taken = 0
    const answers = Array.from({ length: 60 }, async () => {
      const answer = await socket
        .request('ops:push', { spaceId, batch: freshEdit(spaceId).batch })
        .catch(() => null)
      if (answer?.ok === true) taken++
    })
    expect((await deleteAccount()).outcome).toBe('204')
    const atDeletion = await head()
    expect(await socket.ended).toBe('io server disconnect')
    // A client that continues as if nothing had happened.
    for (let again = 0; again < 5; again++) {
      socket.io.emit('ops:push', { spaceId, batch: freshEdit(spaceId).batch })
      await expect(connectRaw(server.url, victim.token)).rejects.toMatchObject({ code: 'unauthenticated' })
    }
    socket.io.disconnect()
    await Promise.allSettled(answers)
    // Every acked operation is there, beside the two of the root.
    expect(taken).toBeLessThanOrEqual(atDeletion - 2)
    expect(await head()).toBe(atDeletion)
  })

  test('[AU7] a request whose body arrives after its session has ended is refused', async () => {
    const { hostname, port } = new URL(server.url)
    const body = JSON.stringify({ role: 'editor' })
    // The owner's token is valid when the head of the request arrives.
    const { token } = cast.people.owner
    const slow = connect({ host: hostname, port: Number(port) })
    await once(slow, 'connect')
    slow.write(
      `POST /api/spaces/${spaceId}/invites HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${token}\r\n` +
        `content-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    )
    await cast.people.owner.call('GET', '/api/me')
    await cast.people.owner.call('POST', '/api/auth/logout', { everywhere: true })
    slow.write(body.slice(5))
    const answer = Buffer.concat(await slow.toArray()).toString()
    expect(answer).toMatch(/^HTTP\/1.1 401 /)
    expect(answer).toContain('unauthenticated')
  })

  test('[AU7] spaces without another member are deleted with the account, files included, and others stay', async () => {
    const own = spaceIdSchema.parse(randomHexId())
    await victim.call('POST', '/api/spaces', { id: own, name: 'Mine' })
    await socket.request('space:join', { spaceId: own })
    expect(await socket.outcomeOf('ops:push', { spaceId: own, batch: freshEdit(own).batch })).toBe('ok')
    const file = join(server.dataDir, own.slice(0, 2), `${own}.db`)
    expect(existsSync(file)).toBe(true)
    expect(await socket.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch })).toBe('ok')
    const before = await head()
    expect((await deleteAccount()).outcome).toBe('204')
    expect(existsSync(file)).toBe(false)
    expect(await head()).toBe(before)
  })

  test('[AU7] signing up with the address of a deleted account creates another person', async () => {
    expect((await deleteAccount()).outcome).toBe('204')
    const again = await server.signUp('Edna Editor')
    expect(again.user.email).toBe(victim.user.email)
    expect(again.user.id).not.toBe(victim.user.id)
    using stranger = await connectRaw(server.url, again.token)
    expect(await attempts(stranger)).toEqual(outside)
    await ownerActs()
    await stranger.fence()
    expect(stranger.heard).toEqual([])
  })

  test('[AU7] the last owner of a space with other members cannot delete the account until there is another owner', async () => {
    const { owner, editor } = cast.people
    const refused = await owner.call('POST', '/api/auth/delete-account', { password })
    expect(refused.outcome).toBe('403 forbidden')
    expect(JSON.stringify(refused.body)).toContain('“Shared”')
    await ownerActs()
    expect(await socket.next('ops:appended')).toMatchObject({ spaceId })
    await owner.call('PATCH', `/api/spaces/${spaceId}/members/${editor.user.id}`, { role: 'owner' })
    expect((await owner.call('POST', '/api/auth/delete-account', { password })).outcome).toBe('204')
    expect(await witness.ended).toBe('io server disconnect')
    expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
    expect(await socket.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch })).toBe('ok')
  })
})

/** Runs SQL in a separate process: two SQLite libraries in one process would release each other's locks on the file. */
async function asOperator(sql: string): Promise<void> {
  const script = `new (require('node:sqlite').DatabaseSync)(process.argv[1]).exec(process.argv[2])`
  const database = join(server.dataDir, 'platform.sqlite')
  await promisify(execFile)(process.execPath, ['-e', script, database, sql])
}

test('[AU8] deleting a session by hand disconnects its socket, and deleting a membership removes the member', async () => {
  const { editor, viewer } = cast.people
  using listener = await connectRaw(server.url, viewer.token)
  await listener.request('space:join', { spaceId })
  await asOperator(`delete from sessions where user_id = '${editor.user.id}';
    delete from members where user_id = '${viewer.user.id}' and space_id = '${spaceId}'`)
  expect(await socket.ended).toBe('io server disconnect')
  expect(await listener.next('space:closed')).toEqual({ spaceId, reason: 'removed' })
  const heard = listener.heard.length
  await ownerActs()
  await listener.fence()
  expect(listener.heard.slice(heard)).toEqual([])
  await expect(connectRaw(server.url, victim.token)).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('[AU4] a socket is disconnected when its access token expires, unless it was renewed', async () => {
  await using brief = await startLiveServer({ ACCESS_TOKEN_TTL: '1s' })
  const anna = await brief.signUp('Anna')
  using left = await connectRaw(brief.url, anna.token)
  using kept = await connectRaw(brief.url, anna.token)
  await kept.next('auth:expiring')
  const renewed = await brief.server.http.inject({
    method: 'POST',
    url: '/api/auth/refresh',
    payload: { refreshToken: anna.refreshToken },
  })
  const { accessToken } = renewed.json<{ accessToken: string }>()
  expect(await kept.outcomeOf('auth:renew', { token: accessToken })).toBe('ok')
  expect(await left.ended).toBe('io server disconnect')
  expect(kept.io.connected).toBe(true)
})
