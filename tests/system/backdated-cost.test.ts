import { encodeBatch, treeOperationSchema, treeSchema, type TreeOperation } from '@t69/protocol'
import { createSyncClient, memoryStorage, type Runtime, type Space } from '@t69/sync-client'
import { expect, test } from 'vitest'

import { startLiveServer } from '../lib/live-server.ts'
import { connectRaw } from '../lib/raw-socket.ts'

/** The number of moves that come one by one. The long run has 20,000. */
const moves = Number(process.env.BACKDATED_MOVES ?? 1_000)
const vertices = 20_000
const deadlineMs = 120_000

/** The time of one merge by the device's clock, as on a slow phone with a large tree, whatever it takes here. */
const mergeMs = 50

/**
 * Each of these moves comes before everything in the tree, so that merging it takes time in proportion to the tree.
 * Merging them one by one would take all the time of a device that has the tree open. Merging them in batches, as they
 * gather, takes a fraction.
 */
test('[RE2] backdated moves that arrive one by one take a fraction of a device’s time', async () => {
  await using server = await startLiveServer()
  const mallory = await server.signUp('Mallory')
  let merges = 0
  const runtime: Runtime = {
    now: () => Date.now() + merges * mergeMs,
    random: () => Math.random(),
    setTimer: (callback, delayMs) => {
      const timer = setTimeout(callback, delayMs)
      return () => clearTimeout(timer)
    },
  }
  await using client = createSyncClient({ url: server.url, storage: memoryStorage(), runtime })
  await client.signUp({ email: 'victim@example.org', password: 'correct horse battery', name: 'Victim' })
  const space = await client.createSpace({ name: 'Shared' })
  await settled(space, 0)
  const { token } = await space.invite('editor')
  expect((await mallory.call('POST', `/api/invites/${token}/accept`)).status).toBeLessThan(300)
  const tree = await space.createTree()
  const treeId = space.treeIdOf(tree)
  await settled(space, 0)
  using socket = await connectRaw(server.url, mallory.token)
  const spaceId = space.id
  await socket.request('space:join', { spaceId })
  const push = (ops: TreeOperation[]) =>
    socket.request('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })
  const op = (fields: object) => treeOperationSchema.parse({ peerId: '7', treeId, spaceId, ...fields })
  const made = Array.from({ length: vertices }, (_, n) =>
    op({ clock: 100_000 + n, targetId: `v${n}`, parentId: n < 100 ? treeId : `v${n % 100}` }),
  )
  const pushed = await push(made)
  if (!pushed.ok) throw new Error(pushed.error.message)
  const settledMoves = await push(
    Array.from({ length: 5_000 }, (_, n) =>
      op({ clock: 200_000 + n, targetId: `v${100 + n}`, parentId: `v${(n * 7) % 100}` }),
    ),
  )
  if (!settledMoves.ok) throw new Error(settledMoves.error.message)
  await settled(space, settledMoves.cursor)

  const merge = tree.merge.bind(tree)
  tree.merge = (ops) => {
    merge(ops)
    merges++
  }
  const backdated = (n: number) =>
    op({ clock: 120_001, peerId: `9${n}`, targetId: `v${100 + (n % 5_000)}`, parentId: `v${n % 100}` })
  const startedAt = runtime.now()
  let cursor = 0
  for (let n = 0; n < moves; n += 100) {
    const some = Array.from({ length: Math.min(100, moves - n) }, (_, index) => push([backdated(n + index)]))
    for (const ack of await Promise.all(some)) cursor = ack.ok ? ack.cursor : cursor
  }
  await settled(space, cursor)
  expect(merges).toBeGreaterThan(0)
  expect((merges * mergeMs) / (runtime.now() - startedAt)).toBeLessThan(0.5)
  const path = `/api/spaces/${spaceId}/trees/${treeId}`
  const shown = treeSchema.parse((await mallory.call('GET', path)).body)
  expect(tree.digest()).toBe(shown.digest)
})

async function settled(space: Space, cursor: number): Promise<void> {
  const holds = () =>
    space.status.phase === 'live' && space.status.pending === 0 && space.status.cursor >= cursor
  if (holds()) return
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const unsubscribe = space.onStatus(() => {
    if (holds()) resolve()
  })
  const late = () => reject(new Error(`stuck: ${JSON.stringify(space.status)}`))
  const deadline = setTimeout(late, deadlineMs)
  await promise.finally(() => {
    unsubscribe()
    clearTimeout(deadline)
  })
}
