import {
  encodeBatch,
  randomHexId,
  treeSchema,
  type SpaceId,
  type TreeOperation,
  treeOperationSchema,
} from '@t69/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { startLiveServer, type LiveServer, type Person } from '../lib/live-server.ts'
import { connectRaw } from '../lib/raw-socket.ts'

/**
 * Operations with false clocks: moves from before their target was created, cycles, properties of vertices that do not
 * exist yet. They are valid and do no harm: every order of arrival gives the same tree.
 */

let server: LiveServer
let person: Person
beforeAll(async () => {
  server = await startLiveServer()
  person = await server.signUp('Mallory')
})
afterAll(() => server[Symbol.asyncDispose]())

const treeId = 'tree'

/** Integers, 0 to `below - 1`, from a seed. */
function createDice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function hostileOps(seed: number): object[] {
  const dice = createDice(seed)
  const vertices = Array.from({ length: 25 }, (_, nth) => `v${nth}`)
  const one = (): string => vertices[dice(vertices.length)] ?? 'v0'
  const base = () => ({ clock: 1 + dice(60), peerId: String(dice(1_000_000)), treeId })
  const made = vertices.map((targetId) => ({ ...base(), clock: 30 + dice(30), targetId, parentId: treeId }))
  const moves = Array.from({ length: 200 }, () => {
    const targetId = one()
    const parentId = dice(8) === 0 ? '0' : one()
    return parentId === targetId
      ? { ...base(), targetId, parentId: treeId }
      : { ...base(), targetId, parentId }
  })
  const properties = Array.from({ length: 60 }, () => {
    const set = { ...base(), targetId: one(), key: `k${dice(3)}` }
    return dice(5) === 0 ? set : { ...set, value: dice(100) }
  })
  const roots = [1, 2, 50].map((clock) => ({ ...base(), clock, targetId: treeId, parentId: null }))
  return [...roots, ...made, ...moves, ...properties]
}

type Order = (ops: TreeOperation[]) => TreeOperation[]

function shuffled(seed: number): Order {
  const dice = createDice(seed)
  return (ops) =>
    ops
      .map((op) => ({ op, at: dice(2 ** 30) }))
      .sort((a, b) => a.at - b.at)
      .map(({ op }) => op)
}

/** Pushes operations in batches and reads the tree: in between, so that the server keeps a replica, or only at the end. */
async function treeAfter(ops: readonly object[], order: Order, isReadMeanwhile: boolean) {
  const spaceId = randomHexId() as SpaceId
  await person.call('POST', '/api/spaces', { id: spaceId, name: 'Order' })
  using socket = await connectRaw(server.url, person.token)
  await socket.request('space:join', { spaceId })
  const ordered = order(ops.map((op) => treeOperationSchema.parse({ ...op, spaceId })))
  const read = () => person.call('GET', `/api/spaces/${spaceId}/trees/${treeId}`)
  for (let at = 0; at < ordered.length; at += 16) {
    const batch = encodeBatch({ spaceId, ops: ordered.slice(at, at + 16) })
    expect(await socket.request('ops:push', { spaceId, batch })).toMatchObject({ ok: true, rejected: [] })
    if (isReadMeanwhile) await read()
  }
  const { digest, vertices, cursor } = treeSchema.parse((await read()).body)
  expect(cursor).toBe(ops.length)
  return { digest, vertices }
}

test.each([1, 2, 3])(
  '[RE2] [RE4] [RE5] backdated moves are accepted, and every order of arrival gives the same tree (seed %d)',
  async (seed) => {
    const ops = hostileOps(seed)
    const sorted = await treeAfter(ops, (them) => them, false)
    expect(sorted.vertices.length).toBeGreaterThan(3)
    expect(await treeAfter(ops, (them) => them.toReversed(), true)).toEqual(sorted)
    expect(await treeAfter(ops, shuffled(seed), true)).toEqual(sorted)
    expect(await treeAfter(ops, shuffled(seed + 100), false)).toEqual(sorted)
  },
)

test('[RE5] operations that wait forever are harmless: cycles of unknown parents, and parents that never arrive', async () => {
  const base = { peerId: '1', treeId }
  const ops = [
    { ...base, clock: 1, targetId: treeId, parentId: null },
    { ...base, clock: 2, targetId: 'a', parentId: 'b' },
    { ...base, clock: 3, targetId: 'b', parentId: 'a' },
    { ...base, clock: 4, targetId: 'c', parentId: 'never' },
    { ...base, clock: 5, targetId: 'nobody', key: 'k', value: 1 },
  ]
  const tree = await treeAfter(ops, (them) => them, true)
  expect(tree.vertices.map(({ id }) => id)).toEqual([treeId])
  expect(await treeAfter(ops, (them) => them.toReversed(), true)).toEqual(tree)
})
