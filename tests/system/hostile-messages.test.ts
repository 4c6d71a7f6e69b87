import { readdir } from 'node:fs/promises'

import { requests, signals, treeSchema, type RequestName, type SpaceId } from '@t69/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { createCast, freshEdit, type Cast } from '../lib/cast.ts'
import { startLiveServer, type LiveServer } from '../lib/live-server.ts'
import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'

/**
 * Messages that the project's client never sends, from a signed-in user. Each is answered by a typed error, or dropped, or
 * ends the connection that it came on. Nothing changes, and others are served.
 */

let server: LiveServer
let cast: Cast
let spaceId: SpaceId
let honest: RawSocket
let hostile: RawSocket
let before: unknown

beforeAll(async () => {
  server = await startLiveServer()
  cast = await createCast(server)
  spaceId = await cast.space()
  honest = cast.ownerSocket
  await honest.request('space:join', { spaceId })
})
afterAll(async () => {
  await cast[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

beforeEach(async () => {
  hostile = await connectRaw(server.url, cast.people.editor.token)
  await hostile.request('space:join', { spaceId })
  await honest.fence()
  honest.heard.splice(0)
  before = await shown()
})

afterEach(nothingHappened)

async function nothingHappened(): Promise<void> {
  hostile[Symbol.dispose]()
  expect(await shown()).toEqual(before)
  expect(honest.heard).toEqual([])
  // The server still accepts valid messages, from the honest user and from a new connection of the hostile one.
  using again = await connectRaw(server.url, cast.people.editor.token)
  expect(await again.outcomeOf('space:join', { spaceId })).toBe('ok')
  expect(await honest.outcomeOf('ops:push', { spaceId, batch: freshEdit(spaceId).batch })).toBe('ok')
  await again.next('ops:appended')
}

async function shown(): Promise<unknown> {
  const { viewer } = cast.people
  const tree = treeSchema.parse((await viewer.call('GET', `/api/spaces/${spaceId}/trees/${spaceId}`)).body)
  const files = await readdir(server.dataDir, { recursive: true })
  // Not those that a database has only while it is open: a space that nobody is in is closed after a moment.
  return { tree, files: files.filter((name) => !/-(?:wal|shm)$/.test(name)).toSorted() }
}

const names = Object.keys(requests) as RequestName[]

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth))
const junk: readonly [string, unknown[]][] = [
  ['no payload', []],
  ['null', [null]],
  ['a number', [7]],
  ['text', ['x'.repeat(1000)]],
  ['an empty object', [{}]],
  ['an array', [[1, 2]]],
  ['bytes', [new Uint8Array(9)]],
  ['an object nested 3,000 deep', [nested(3_000)]],
  ['a prototype', [JSON.parse('{"__proto__":{"spaceId":"a"},"constructor":{"prototype":{"isAdmin":true}}}')]],
  ['two payloads', [null, { spaceId: 'x' }]],
]

describe.each(names)('%s', (name) => {
  test.each(junk)(`[ER2] ${name} refuses as payload: %s`, async (_, payload) => {
    const ack = await hostile.request(name, ...payload)
    expect(ack).toMatchObject({ ok: false, error: { code: 'invalid_request' } })
    expect(Object.hasOwn(Object.prototype, 'isAdmin')).toBe(false)
  })

  test(`[ER2] ${name} does nothing without an ack callback`, async () => {
    hostile.io.emit(name)
    hostile.io.emit(name, { spaceId, batch: freshEdit(spaceId).batch, after: 0, token: 'x' })
    await hostile.fence()
    await honest.fence()
    expect(hostile.io.connected).toBe(true)
  })
})

test('[ER2] a malformed signal is dropped, and the connection continues', async () => {
  const transients = [
    { treeId: 'a@b' },
    { key: '__proto__' },
    { key: 'a@b' },
    { value: 'x'.repeat(65_537) },
    { offset: -1 },
  ]
  const change = { treeId: 't', targetId: 'v', key: 'text', value: 'x' }
  for (const wrong of transients) {
    hostile.io.emit('ops:transient', { spaceId, changes: [{ ...change, ...wrong }] })
  }
  hostile.io.emit('ops:transient', { spaceId, changes: Array.from({ length: 101 }, () => change) })
  hostile.io.emit('presence:set', { spaceId, state: 'x'.repeat(65_537) })
  hostile.io.emit('presence:set', { spaceId, state: nested(65) })
  for (const name of Object.keys(signals)) {
    for (const [, payload] of junk) hostile.io.emit(name, ...payload)
  }
  await hostile.fence()
  await honest.fence()
  expect(hostile.io.connected).toBe(true)
})

test.each([
  '../../platform',
  '..',
  '/etc/passwd',
  'C:\\data',
  '__proto__',
  'constructor',
  '',
  'a'.repeat(31),
  'A'.repeat(32),
  `${'a'.repeat(32)}/../x`,
  `${'a'.repeat(31)}\u0000`,
  `${'a'.repeat(32)}\n`,
  `${'a'.repeat(30)}\u200bа`,
  '%2e%2e%2f',
  'ａ'.repeat(32),
])('[ID1] the space id %j is refused everywhere, and touches no file', async (trick) => {
  for (const name of names.filter((it) => it !== 'auth:renew')) {
    const ack = await hostile.request(name, { spaceId: trick, batch: new Uint8Array(1), after: 0 })
    expect(ack, name).toMatchObject({ ok: false, error: { code: 'invalid_request', at: 'spaceId' } })
  }
  const { editor } = cast.people
  const made = await editor.call('POST', '/api/spaces', { id: trick, name: 'Trick' })
  expect(made).toMatchObject({ outcome: '400 invalid_request', body: { error: { at: 'id' } } })
  // In a path, the id may make the route unknown.
  for (const path of [
    `/${encodeURIComponent(trick)}`,
    `/${trick}/trees/${spaceId}`,
    `/${spaceId}/trees/${trick}`,
  ]) {
    const { status, body } = await editor.call('GET', `/api/spaces${path}`)
    expect([200, 400, 404], path).toContain(status)
    expect(JSON.stringify(body), path).not.toContain('"vertices"')
  }
})

test.each([[-1], [1.5], [Number.NaN], [Number.POSITIVE_INFINITY], [2 ** 53], ['0'], [null], [{}]])(
  '[PL3] a position of %s is refused',
  async (after) => {
    expect(await hostile.outcomeOf('ops:pull', { spaceId, after })).toBe('invalid_request')
    if (after === null) return
    expect(await hostile.outcomeOf('space:join', { spaceId, cursor: after })).toBe('invalid_request')
  },
)

test('[PL3] a pull after a position above the head is refused', async () => {
  const ack = await hostile.request('ops:pull', { spaceId, after: Number.MAX_SAFE_INTEGER })
  expect(ack).toMatchObject({ ok: false, error: { code: 'invalid_request', at: 'after' } })
})

test('[LI1] a message above the limit ends its own connection, and no other', async () => {
  hostile.io.emit('ops:push', { spaceId, batch: new Uint8Array(1_100_000) }, () => {})
  expect(await hostile.ended).toBe('transport close')
})

test.each([
  ['an event nested 100,000 deep', `420["space:join",${'['.repeat(100_000)}${']'.repeat(100_000)}]`],
  ['a reserved event of Socket.io', '420["disconnect"]'],
  ['text that is not JSON', '420["space:join",{'],
  ['a placeholder for bytes that do not follow', '451-0["ops:push",{"_placeholder":true,"num":9}]'],
  ['a million binary parts', '451000000-0["ops:push"]'],
  ['a connect to another namespace', '40/admin,{}'],
  ['something other than a packet', 'xyz'],
])('a frame with %s ends at most its own connection', async (_, frame) => {
  hostile.io.io.engine.write(frame.slice(1))
  const answered = hostile.outcomeOf('space:leave', { spaceId }).catch(() => 'cut')
  expect([
    'ok',
    'cut',
    'transport close',
    'transport error',
    'io server disconnect',
    'io client disconnect',
    'parse error',
  ]).toContain(await Promise.race([hostile.ended, answered]))
})

test('[LI4] over the rate, requests are refused with a time to wait, signals are dropped, and others are served', async () => {
  const acks = await Promise.all(
    Array.from({ length: 1_600 }, () => hostile.request('ops:pull', { spaceId: 'ff'.repeat(16), after: 0 })),
  )
  const refused = acks.flatMap((ack) => (ack.ok || ack.error.code !== 'rate_limited' ? [] : [ack.error]))
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.every(({ retryAfterMs = 0 }) => retryAfterMs > 0)).toBe(true)
  expect(await honest.outcomeOf('ops:pull', { spaceId, after: 0 })).toBe('ok')
})

test('[JO4] an invented position renews the log id once and is then refused, and the log keeps its content', async () => {
  using viewer = await connectRaw(server.url, cast.people.viewer.token)
  const joined = await viewer.request('space:join', { spaceId })
  if (!joined.ok) throw new Error('not joined')
  const invented = (logId: string) => ({ spaceId, logId, epoch: 'ee'.repeat(16), cursor: 1_000 })
  const first = await viewer.request('space:join', invented(joined.logId))
  if (!first.ok) throw new Error('not renewed')
  expect(first).toMatchObject({ cursor: 0, head: joined.head })
  const second = await viewer.request('space:join', invented(first.logId))
  expect(second).toMatchObject({ ok: false, error: { code: 'rate_limited' } })
  // The others are told to join again, and the content has not changed.
  await honest.fence()
  expect(honest.heard).toMatchObject([{ name: 'space:closed', payload: { spaceId, reason: 'changed' } }])
  expect(await honest.request('space:join', { spaceId })).toMatchObject({ ok: true, head: joined.head })
  await honest.fence()
  honest.heard.splice(0)
})
