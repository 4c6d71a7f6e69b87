import { get, type IncomingMessage } from 'node:http'

import { encodeBatch, limits, randomHexId, type SpaceId, type TreeOperation } from '@t69/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { rootOf } from '../lib/cast.ts'
import { startLiveServer, type LiveServer, type Person } from '../lib/live-server.ts'
import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'

async function spaceOf(person: Person): Promise<SpaceId> {
  const id = randomHexId() as SpaceId
  expect((await person.call('POST', '/api/spaces', { id, name: 'Space' })).status).toBe(201)
  return id
}

async function join(socket: RawSocket, spaceId: SpaceId): Promise<void> {
  expect(await socket.request('space:join', { spaceId })).toMatchObject({ ok: true })
}

function edits(spaceId: SpaceId, first: number, count: number, value: unknown = 'x'): TreeOperation[] {
  const [root] = rootOf(spaceId)
  if (root === undefined) throw new Error('the tree has no root')
  const { parentId: _, ...base } = root
  return Array.from({ length: count }, (_, index) => ({
    ...base,
    clock: first + index,
    key: `k${index % 100}`,
    value: value as string,
  }))
}

const push = (socket: RawSocket, spaceId: SpaceId, ops: readonly TreeOperation[]) =>
  socket.request('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })

describe('with the default limits', () => {
  let server: LiveServer
  let anna: Person

  beforeAll(async () => {
    server = await startLiveServer()
    anna = await server.signUp('Anna')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('a document of 5 MB and a history of 80,000 operations are sent without waiting', async () => {
    const spaceId = await spaceOf(anna)
    using socket = await connectRaw(server.url, anna.token)
    await join(socket, spaceId)
    const parts = Array.from({ length: 10 }, (_, part) =>
      edits(spaceId, 1 + part, 1, 'x'.repeat(limits.maxValueBytes - 2)),
    )
    const history = Array.from({ length: 4 }, (_, part) => edits(spaceId, 100 + part * 20_000, 20_000))
    const acks = await Promise.all([...parts, ...history].map((ops) => push(socket, spaceId, ops)))
    expect(acks.map((ack) => ack.ok)).toEqual(acks.map(() => true))
  })
})

describe('with configured limits', () => {
  test('[LI5] a user who pulls the same pages again and again has to wait, and others are served', async () => {
    // 40,000 operations at once. After the fourth page of 9,000, seconds are owed, however fast this machine is.
    await using server = await startLiveServer({ OPERATIONS_PER_SECOND_AND_USER: '1000' })
    const [anna, ben] = [await server.signUp('Anna'), await server.signUp('Ben')]
    const [spaceId, own] = [await spaceOf(anna), await spaceOf(ben)]
    using hostile = await connectRaw(server.url, anna.token)
    using again = await connectRaw(server.url, anna.token)
    using honest = await connectRaw(server.url, ben.token)
    await join(hostile, spaceId)
    await join(again, spaceId)
    await join(honest, own)
    expect(await push(hostile, spaceId, edits(spaceId, 1, 9_000))).toMatchObject({ ok: true })
    let refusal: unknown
    const served: boolean[] = []
    for (let page = 1; page <= 20 && refusal === undefined; page++) {
      const ack = await hostile.request('ops:pull', { spaceId, after: 0 })
      if (!ack.ok) refusal = ack.error
      served.push((await push(honest, own, edits(own, page, 5))).ok)
    }
    expect(new Set(served)).toEqual(new Set([true]))
    expect(refusal).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
    // On another socket of the same user as well, and on a new one.
    expect(await again.outcomeOf('ops:pull', { spaceId, after: 0 })).toBe('rate_limited')
    await expect(connectRaw(server.url, anna.token)).rejects.toMatchObject({ code: 'rate_limited' })
    expect((await anna.call('GET', `/api/spaces/${spaceId}/trees/${spaceId}`)).outcome).toBe(
      '429 rate_limited',
    )
    expect(await honest.outcomeOf('ops:pull', { spaceId: own, after: 0 })).toBe('ok')
  })

  test('[LI5] reading a tree of few operations with large values counts by the values, each time', async () => {
    // 40,000 operations at once, of which a large value counts as two thousand.
    await using server = await startLiveServer({ OPERATIONS_PER_SECOND_AND_USER: '1000' })
    const anna = await server.signUp('Anna')
    const spaceId = await spaceOf(anna)
    using socket = await connectRaw(server.url, anna.token)
    await join(socket, spaceId)
    await push(socket, spaceId, rootOf(spaceId))
    const value = 'x'.repeat(limits.maxValueBytes - 2)
    for (let clock = 11; clock <= 14; clock++) {
      const [edit] = edits(spaceId, clock, 1, value)
      if (edit !== undefined)
        await push(socket, spaceId, [{ ...edit, key: `large${clock}` } as TreeOperation])
    }
    const outcomes = new Set<string>()
    for (let read = 0; read < 6; read++) {
      outcomes.add((await anna.call('GET', `/api/spaces/${spaceId}/trees/${spaceId}`)).outcome)
    }
    expect([...outcomes]).toEqual(['200', '429 rate_limited'])
  })

  test('[LI12] a user who requests trees without reading the responses is refused until they are read', async () => {
    await using server = await startLiveServer()
    const anna = await server.signUp('Anna')
    const spaceId = await spaceOf(anna)
    using socket = await connectRaw(server.url, anna.token)
    await join(socket, spaceId)
    await push(socket, spaceId, rootOf(spaceId))
    // More than the system buffers for a connection that is not read.
    for (let clock = 11; clock <= 40; clock++) {
      const [edit] = edits(spaceId, clock, 1, 'x'.repeat(500_000))
      if (edit !== undefined)
        await push(socket, spaceId, [{ ...edit, key: `large${clock}` } as TreeOperation])
    }
    const url = `${server.url}/api/spaces/${spaceId}/trees/${spaceId}`
    const leave = new AbortController()
    const ask = () =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { authorization: `Bearer ${anna.token}` }
        // Without a listener, the response is not read.
        get(url, { headers, signal: leave.signal, agent: false }, resolve).once('error', reject)
      })
    const answers = [await ask(), await ask(), await ask()]
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 429])
    for (const answer of answers) answer.on('error', () => {})
    leave.abort()
    const read = async () => (await anna.call('GET', `/api/spaces/${spaceId}/trees/${spaceId}`)).status
    await expect.poll(read).toBe(200)
    expect(await read()).toBe(200)
    expect(await read()).toBe(200)
  })

  test('[LI7] a user at the limit of sockets can open another once one is closed', async () => {
    await using server = await startLiveServer({ SOCKET_LIMIT_PER_USER: '2' })
    const [anna, ben] = [await server.signUp('Anna'), await server.signUp('Ben')]
    const first = await connectRaw(server.url, anna.token)
    using _second = await connectRaw(server.url, anna.token)
    await expect(connectRaw(server.url, anna.token)).rejects.toMatchObject({
      body: { code: 'rate_limited', retryAfterMs: expect.any(Number) },
    })
    using other = await connectRaw(server.url, ben.token)
    first[Symbol.dispose]()
    // The server handles events in order, and this request was sent after the other socket had closed.
    await other.fence()
    await expect.poll(() => admits(server.url, anna.token)).toBe(true)
  })

  test('[LI9] a tree too large to be read at once is refused, and its log can be pulled', async () => {
    await using server = await startLiveServer({ TREE_READ_LIMIT: '50' })
    const anna = await server.signUp('Anna')
    const spaceId = await spaceOf(anna)
    using socket = await connectRaw(server.url, anna.token)
    await join(socket, spaceId)
    const path = `/api/spaces/${spaceId}/trees/${spaceId}`
    await push(socket, spaceId, edits(spaceId, 1, 50))
    expect((await anna.call('GET', path)).status).toBe(200)
    const joined = await socket.request('space:join', { spaceId })
    if (!joined.ok) throw new Error('not joined')
    await push(socket, spaceId, edits(spaceId, 51, 1))
    expect((await anna.call('GET', path)).outcome).toBe('413 too_large')
    const position = { logId: joined.logId, cursor: 51, digest: '0'.repeat(32) }
    const compared = await socket.outcomeOf('tree:compare', { spaceId, treeId: spaceId, ...position })
    expect(compared).toBe('too_large')
    expect(await socket.outcomeOf('ops:pull', { spaceId, after: 0 })).toBe('ok')
  })

  test('[QU4] a user at the limit of spaces can create another once one is deleted', async () => {
    await using server = await startLiveServer({ USER_QUOTA_SPACES: '2' })
    const [anna, ben] = [await server.signUp('Anna'), await server.signUp('Ben')]
    const [first, second] = [await spaceOf(anna), await spaceOf(anna)]
    const third = { id: randomHexId(), name: 'Third' }
    const refused = await anna.call('POST', '/api/spaces', third)
    expect(refused.outcome).toBe('507 quota_exceeded')
    expect(refused.body).toMatchObject({ error: { retryAfterMs: expect.any(Number) } })
    expect((await anna.call('POST', '/api/spaces', { id: first, name: 'Again' })).status).toBe(200)
    await spaceOf(ben)
    expect((await anna.call('DELETE', `/api/spaces/${second}`)).status).toBe(204)
    expect((await anna.call('POST', '/api/spaces', third)).status).toBe(201)
  })

  test('[QU1] [QU3] the bytes that a user pays for are counted over all of their spaces', async () => {
    await using server = await startLiveServer({ USER_QUOTA_BYTES: '2MB' })
    const [anna, ben] = [await server.signUp('Anna'), await server.signUp('Ben')]
    const [one, other, bens] = [await spaceOf(anna), await spaceOf(anna), await spaceOf(ben)]
    using socket = await connectRaw(server.url, anna.token)
    using bensSocket = await connectRaw(server.url, ben.token)
    for (const spaceId of [one, other]) await join(socket, spaceId)
    await join(bensSocket, bens)
    const large = (spaceId: SpaceId, clock: number) => edits(spaceId, clock, 1, 'x'.repeat(500_000))
    const taken: number[] = []
    for (let clock = 1; clock <= 6; clock++) {
      const ack = await push(socket, one, large(one, clock))
      taken.push(ack.ok ? ack.rejected.length : -1)
    }
    expect(taken.at(0)).toBe(0)
    expect(taken.at(-1)).toBe(1)
    const ack = await push(socket, other, large(other, 1))
    expect(ack).toMatchObject({ ok: true, rejected: [{ code: 'quota_exceeded' }] })
    expect(ack.ok && ack.rejected[0]?.message).toContain('spaces of its owner')
    expect(await push(bensSocket, bens, large(bens, 1))).toMatchObject({ ok: true, rejected: [] })
  })
})

async function admits(url: string, token: string): Promise<boolean> {
  try {
    using _socket = await connectRaw(url, token)
    return true
  } catch {
    return false
  }
}
