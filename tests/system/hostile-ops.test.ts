import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import {
  decodeBatch,
  encodeBatch,
  limits,
  spaceIdSchema,
  SyncError,
  treeSchema,
  type Ack,
  type RequestReply,
  type SpaceId,
} from '@t69/protocol'
import {
  createSyncClient,
  memoryStorage,
  type Space,
  type SpaceStatus,
  type SyncClient,
} from '@t69/sync-client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { createCast, type Cast } from '../lib/cast.ts'
import { startLiveServer, type LiveServer } from '../lib/live-server.ts'
import { rawBatch, type RawOp } from '../lib/raw-batch.ts'
import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'

/**
 * Operations that would harm replicas, pushed by an editor who writes the bytes by hand. Each is refused with an error
 * that names the operation, and the log does not change. An honest device in the same space stays live throughout, and
 * agrees with the server afterwards.
 *
 * Batches cannot express some hazards, which keeps them out: a clock that is NaN, infinite, fractional, text or missing
 * (clocks are varints), an operation with both a parent and a key or with neither (its kind is one number), a value that
 * is `undefined`, a function or a date (values are JSON), a transient operation (there is no such field). The tests send
 * the closest: such objects in place of the bytes, and unknown kinds.
 */

let server: LiveServer
let cast: Cast
let spaceId: SpaceId
let hostile: RawSocket
let honest: SyncClient
let space: Space
const phases = new Set<SpaceStatus['phase']>()

beforeAll(async () => {
  server = await startLiveServer()
  cast = await createCast(server)
  spaceId = await cast.space()
  hostile = await connectRaw(server.url, cast.people.editor.token)
  await hostile.request('space:join', { spaceId })
  honest = createSyncClient({ url: server.url, storage: memoryStorage() })
  await honest.signIn({ email: cast.people.owner.user.email, password: 'correct horse battery' })
  space = await honest.openSpace(spaceId)
  await reached(({ phase }) => phase === 'live')
  space.onStatus(({ phase }) => void phases.add(phase))
})

afterAll(async () => {
  hostile[Symbol.dispose]()
  await honest.close()
  await cast[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

afterEach(agreeWithServer)

async function agreeWithServer(): Promise<void> {
  // Others are served, and the honest device edits, is answered, and shows the same as the server.
  space.root.root?.setProperty('edited', (edits += 1))
  await space.flushed()
  const { cursor, digest } = await onServer()
  await reached((status) => status.cursor >= cursor)
  expect(space.root.digest()).toBe(digest)
  expect(space.status).toMatchObject({ phase: 'live', pending: 0, rejected: 0, error: null })
  expect([...phases].filter((phase) => phase !== 'live')).toEqual([])
}

let edits = 0

function reached(holds: (status: SpaceStatus) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(JSON.stringify(space.status))), 30_000)
    const stop = space.onStatus(check)
    check(space.status)
    function check(status: SpaceStatus): void {
      if (!holds(status)) return
      clearTimeout(timer)
      queueMicrotask(() => stop())
      resolve()
    }
  })
}

async function onServer(treeId: string = spaceId) {
  const reply = await cast.people.viewer.call('GET', `/api/spaces/${spaceId}/trees/${treeId}`)
  return treeSchema.parse(reply.body)
}

const push = (batch: unknown) => hostile.request('ops:push', { spaceId, batch })

/** The answer to a push. Checks that the push changes nothing. */
async function refused(batch: unknown): Promise<Ack<RequestReply<'ops:push'>>> {
  const before = await onServer()
  const ack = await push(batch)
  expect(await onServer()).toEqual(before)
  return ack
}

/** Pushes a valid operation, then the one in question, which is named by its index. Neither is committed. */
const good: RawOp = { clock: 10, targetId: 'good', text: '1' }
const withGood = (op: RawOp) => rawBatch(spaceId, [good, { clock: 11, ...op }])

/** The highest clock that a tree can have: the largest safe integer. */
const highest = Number.MAX_SAFE_INTEGER

test('the writer of raw batches also writes valid ones', () => {
  const ops: RawOp[] = [
    { clock: 5, targetId: 'a', parentId: spaceId },
    { clock: 6, targetId: 'a', key: 'k', text: '"x"' },
    { clock: 6, peerId: 'other', targetId: 'b', key: 'k' },
    { clock: 2, treeId: 'tree', targetId: 'tree', parentId: null },
  ]
  const bytes = rawBatch(spaceId, ops)
  expect(Buffer.from(encodeBatch(decodeBatch(bytes))).equals(bytes)).toBe(true)
})

describe('a malformed operation', () => {
  const inheritedKeys = { text: '{"__proto__":{"isAdmin":true}}' }
  test.each<[string, RawOp]>([
    ['a clock of 0', { clock: 0 }],
    ['a negative clock', { clock: -5 }],
    ['a second root', { targetId: 'second', parentId: null }],
    ['a move of the root', { targetId: '@root', parentId: 'good' }],
    ['a move of the root to the null vertex', { targetId: '@root', parentId: '0' }],
    ['a move of the null vertex', { targetId: '0', parentId: '@root' }],
    ['a vertex under itself', { targetId: 'self', parentId: 'self' }],
    ['an existing vertex made a root', { targetId: 'good', parentId: null }],
    ['a value too large', { text: JSON.stringify('x'.repeat(limits.maxValueBytes - 1)) }],
    ['a value nested too deep', { text: '['.repeat(65) + ']'.repeat(65) }],
    ['a value nested 100,000 deep', { text: '['.repeat(100_000) + ']'.repeat(100_000) }],
    ['a value with the key __proto__', inheritedKeys],
    ['a value with the key __proto__ further in', { text: `[{"a":${inheritedKeys.text}}]` }],
    ['NaN', { text: 'NaN' }],
    ['Infinity', { text: 'Infinity' }],
    ['a number that becomes infinite', { text: '1e999' }],
    ['-0', { text: '-0' }],
    ['undefined', { text: 'undefined' }],
    ['half a surrogate pair', { text: '"\\ud800"' }],
    ['JavaScript', { text: '(()=>1)()' }],
    ['two values', { text: '1 2' }],
    ['an empty text as a value', { text: '' }],
  ])('[BA12] a push with %s is refused with the index of the operation', async (_, op) => {
    const named = { ...op, ...(op.targetId === '@root' && { targetId: spaceId }) }
    const there = { ...named, ...(op.parentId === '@root' && { parentId: spaceId }) }
    const ack = await refused(withGood(there))
    expect(ack).toMatchObject({ ok: false, error: { code: 'invalid_batch', at: 1 } })
  })
})

describe('an invalid id or key', () => {
  const inherited = ['__proto__', 'constructor', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__']
  const unprintable = ['\u200b', 'a\u200db', '\u202e', '\u0000', 'a\u00adb', '\ufeff', '\ue000']
  const noIds = ['a@b', '../x', 'a/b', 'a b', '.', 'ä', '"', "';--", ...unprintable]
  const fields = ['peerId', 'treeId', 'targetId', 'parentId'] as const
  const cases = fields.flatMap((field) => [...inherited, ...noIds].map((name) => ({ field, name })))

  test.each(cases)(
    '[BA12] the $field $name is refused with the index of its operation',
    async ({ field, name }) => {
      const ack = await refused(withGood({ parentId: spaceId, targetId: 'moved', [field]: name }))
      expect(ack).toMatchObject({
        ok: false,
        error: { code: 'invalid_batch', at: 1, message: expect.stringContaining(field) },
      })
    },
  )

  test.each([...inherited, 'a@b', '@', '', 'x'.repeat(129), ...unprintable].map((key) => ({ key })))(
    '[BA12] the key $key is refused with the index of its operation',
    async ({ key }) => {
      const ack = await refused(withGood({ key, text: '1' }))
      expect(ack).toMatchObject({ ok: false, error: { code: 'invalid_batch', at: 1 } })
    },
  )

  test('[ID2] an id of 65 characters and an empty id are refused with the index of their operation', async () => {
    for (const [name, field] of ['x'.repeat(65), ''].flatMap((it) =>
      fields.map((field) => [it, field] as const),
    )) {
      const op = { parentId: spaceId, targetId: 'moved', [field]: name }
      expect(await refused(withGood(op)), field).toMatchObject({ error: { code: 'invalid_batch' } })
    }
  })

  test.each([['../../platform'], ['__proto__'], ['tree'], ['F'.repeat(32)], ['a'.repeat(31)]])(
    '[ID1] a batch of the space %s is refused',
    async (name) => {
      expect(await refused(rawBatch(name, [good]))).toMatchObject({ error: { code: 'invalid_batch' } })
    },
  )
})

describe('a clock above the window', () => {
  test.each([
    ['of the largest safe integer', highest],
    ['far ahead', 5_000_000],
  ])(
    '[PU5] a clock %s is rejected with its index, and the other operations are committed',
    async (_, clock) => {
      const before = await onServer()
      const ack = await push(rawBatch(spaceId, [{ clock, text: '1' }]))
      const code = 'clock_out_of_range'
      expect(ack).toMatchObject({
        ok: true,
        after: before.cursor,
        cursor: before.cursor,
        rejected: [{ index: 0, code }],
      })
      expect(await onServer()).toEqual(before)
    },
  )

  test('[PU5] a clock of 2^53 or more cannot be reached, in one step or in two', async () => {
    const beyond = rawBatch(spaceId, [{ clock: highest }, { clock: highest + 2, treeId: 'other' }])
    expect(await refused(beyond)).toMatchObject({ error: { code: 'invalid_batch' } })
    const twoSteps = rawBatch(spaceId, [
      { clock: highest, text: '1' },
      { clock: highest + 1, text: '2' },
    ])
    expect(await refused(twoSteps)).toMatchObject({ error: { code: 'invalid_batch', at: 1 } })
  })

  test('[PU5] a new tree has the same window', async () => {
    const ack = await push(rawBatch(spaceId, [{ treeId: 'fresh', clock: limits.clockWindow + 1, text: '1' }]))
    expect(ack).toMatchObject({ ok: true, rejected: [{ index: 0, code: 'clock_out_of_range' }] })
  })
})

describe('one operation id with two contents', () => {
  test('[PU4] of two contents with one id, the first stays, the second is rejected, and others are committed', async () => {
    const clock = 100
    const first = await push(rawBatch(spaceId, [{ clock, targetId: spaceId, key: 'twice', text: '"first"' }]))
    expect(first).toMatchObject({ ok: true, rejected: [] })
    const second = await push(
      rawBatch(spaceId, [
        { clock: clock + 1, targetId: spaceId, key: 'beside', text: '"taken"' },
        { clock, targetId: spaceId, key: 'twice', text: '"second"' },
        { clock, targetId: spaceId, parentId: null },
      ]),
    )
    const code = 'op_conflict'
    expect(second).toMatchObject({
      ok: true,
      rejected: [
        { index: 1, code },
        { index: 2, code },
      ],
    })
    const [root] = (await onServer()).vertices
    expect(root?.properties).toMatchObject({ twice: 'first', beside: 'taken' })
  })

  test('[PU4] of two contents with one id in one batch, the first is committed and the second rejected', async () => {
    const clock = 200
    const ack = await push(
      rawBatch(spaceId, [
        { clock, targetId: spaceId, key: 'both', text: '1' },
        { clock, targetId: spaceId, key: 'both', text: '2' },
      ]),
    )
    expect(ack).toMatchObject({ ok: true, rejected: [{ index: 1, code: 'op_conflict' }] })
    expect((await onServer()).vertices[0]?.properties).toMatchObject({ both: 1 })
  })
})

describe('the ids of the next edits of another device', () => {
  test('[CL7] an edit whose id was taken is set aside, and reaches everybody when it is tried again', async () => {
    const root = await space.loaded()
    root.setProperty('before', 1)
    await space.flushed()
    const page = await hostile.request('ops:pull', { spaceId, after: space.status.cursor - 1 })
    if (!page.ok) throw new Error(page.error.message)
    const { clock, peerId } = decodeBatch(page.batch).ops[0]!
    // Sent before the edit is made, and received after: otherwise the replica would go on after it.
    const taking = push(
      rawBatch(
        spaceId,
        Array.from({ length: 50 }, (_, index) => ({
          clock: clock + 1 + index,
          peerId,
          targetId: spaceId,
          key: 'taken',
          text: String(index),
        })),
      ),
    )
    root.setProperty('mine', 'what the owner wrote')
    expect(await taking).toMatchObject({ ok: true, rejected: [] })
    await reached(({ rejected, pending }) => rejected === 1 && pending === 0)
    expect(await space.rejectedEdits()).toMatchObject([{ code: 'op_conflict', op: { key: 'mine' } }])
    await space.retryRejected()
    await space.flushed()
    expect(space.status).toMatchObject({ rejected: 0, pending: 0 })
    const [onTop] = (await onServer()).vertices
    expect(onTop?.properties).toMatchObject({ taken: 49, mine: 'what the owner wrote' })
    const again = await space.loaded()
    expect(again.getProperty('mine')).toBe('what the owner wrote')
    expect(again.getProperty('taken')).toBe(49)
  })
})

describe('a push without the bytes of a batch', () => {
  const op = { clock: 1, peerId: '7', treeId: 't', spaceId: 's', targetId: 'v' }
  test.each<[string, unknown]>([
    ['no batch', undefined],
    ['null', null],
    ['a number', 7],
    ['text', 'AQID'],
    ['an empty object', {}],
    ['bytes as JSON', { type: 'Buffer', data: [1, 2, 3] }],
    ['an array of bytes', [1, 2, 3]],
    ['a fractional clock', [{ ...op, clock: 1.5, key: 'k', value: 1 }]],
    ['a clock that is NaN', [{ ...op, clock: Number.NaN, key: 'k', value: 1 }]],
    ['a clock that is text', [{ ...op, clock: '999', key: 'k', value: 1 }]],
    ['both a parent and a key', [{ ...op, parentId: 't', key: 'k', value: 1 }]],
    ['neither a parent nor a key', [op]],
    ['an operation that is null', [null]],
    ['an operation without an id', [{ targetId: 'v', key: 'k', value: 1 }]],
    ['a peer id that is a number', [{ ...op, peerId: 7, key: 'k', value: 1 }]],
    ['a parent that is empty', [{ ...op, parentId: '' }]],
    ['a transient operation', [{ ...op, key: 'k', value: 1, transient: true }]],
  ])('[ER2] a push with %s is refused', async (_, batch) => {
    const ack = await refused(batch)
    expect(ack).toMatchObject({ ok: false, error: { code: 'invalid_request', at: 'batch' } })
  })

  test.each([
    ['a key that does not exist', 4],
    ['an unknown kind', 1_000_000],
    ['a move without a parent', 0],
  ])('[BA4] an operation whose kind means %s is refused', async (_, kind) => {
    expect(await refused(rawBatch(spaceId, [{ kind, key: 'k' }]))).toMatchObject({
      error: { code: 'invalid_batch' },
    })
  })
})

describe('sizes', () => {
  test('[BA12] a batch of too many bytes and one of too many operations are refused as too large', async () => {
    const bytes = Buffer.alloc(limits.maxBatchBytes + 1, rawBatch(spaceId, [good]))
    expect(await refused(bytes)).toMatchObject({ error: { code: 'too_large' } })
    const many = rawBatch(spaceId, [good], limits.maxBatchOps + 1)
    expect(await refused(many)).toMatchObject({ error: { code: 'too_large' } })
  })
})

interface Vector {
  readonly name: string
  readonly hex: string
  readonly code: string
  readonly at?: number
}

const vectorsFile = join(import.meta.dirname, '../../packages/protocol/vectors/invalid.json')
const vectors = JSON.parse(readFileSync(vectorsFile, 'utf8')) as Vector[]

test.each(vectors)(
  '[BA16] over the wire, the invalid vector “$name” is refused with its code',
  async ({ hex, code, at }) => {
    const ack = await refused(Buffer.from(hex, 'hex'))
    expect(ack).toMatchObject({ ok: false, error: { code, ...(at !== undefined && { at }) } })
  },
)

test('[BA12] a batch with one bit flipped, or cut short, is refused or is another valid batch', async () => {
  const own = spaceIdSchema.parse('ab'.repeat(16))
  const { editor } = cast.people
  await editor.call('POST', '/api/spaces', { id: own, name: 'For mutations' })
  const bytes = rawBatch(own, [
    { clock: 1, targetId: own, parentId: null },
    { clock: 2, targetId: 'a', parentId: own },
    { clock: 3, targetId: 'a', key: 'name', text: '{"x":[1,"é"]}' },
    { clock: 3, peerId: 'other', targetId: 'a', key: 'name' },
  ])
  const mutants = [
    ...Array.from({ length: bytes.length * 8 }, (_, bit) => {
      const mutant = Uint8Array.from(bytes)
      mutant[bit >> 3] = (mutant[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return mutant
    }),
    ...Array.from(bytes, (_, length) => bytes.slice(0, length)),
  ]
  let head = 0
  // A socket may send a thousand requests at once.
  for (let at = 0; at < mutants.length; at += 800) {
    using socket = await connectRaw(server.url, editor.token)
    await socket.request('space:join', { spaceId: own })
    const group = mutants.slice(at, at + 800)
    const acks = await Promise.all(group.map((batch) => socket.request('ops:push', { spaceId: own, batch })))
    const answers = acks.map((ack) => (ack.ok ? undefined : { code: ack.error.code, at: ack.error.at }))
    expect(answers).toEqual(group.map((batch) => problemOf(batch, own)))
    head = Math.max(head, ...acks.map((ack) => (ack.ok ? ack.head : 0)))
  }
  using reader = await connectRaw(server.url, editor.token)
  const joined = await reader.request('space:join', { spaceId: own })
  expect(joined).toMatchObject({ ok: true, head })
  expect(await reader.request('ops:pull', { spaceId: own, after: 0 })).toMatchObject({ ok: true })
})

/** The error that the server should answer to these bytes, or undefined if it should accept them. */
function problemOf(bytes: Uint8Array, own: SpaceId): object | undefined {
  try {
    const decoded = decodeBatch(bytes)
    return decoded.spaceId === own ? undefined : { code: 'invalid_batch', at: undefined }
  } catch (error) {
    if (error instanceof SyncError) return { code: error.code, at: error.body.at }
    throw error
  }
}
