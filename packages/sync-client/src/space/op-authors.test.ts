import { spaceIdSchema, type PeerId, type TreeId, type UserId } from '@t69/protocol'
import { expect, test } from 'vitest'

import type { AttestedRun } from '../storage/index.ts'
import { createOpAuthors } from './op-authors.ts'

const spaceId = spaceIdSchema.parse('aa'.repeat(16))
const treeId = 'tree' as TreeId
const [anna, ben] = ['1'.repeat(32) as UserId, '2'.repeat(32) as UserId]

function run(from: number, to: number, userId: UserId, tree = treeId): AttestedRun {
  return { treeId: tree, peerId: '7' as PeerId, from, to, userId, at: 1 }
}

function setUp() {
  const open: TreeId[] = []
  let stored: AttestedRun[] = []
  let disk = Promise.resolve()
  const authors = createOpAuthors({
    spaceId,
    storage: {
      readAttested: async (_, tree) => {
        const found = stored.filter((one) => one.treeId === tree)
        await disk
        return found
      },
    },
    openTrees: () => open,
  })
  const told: TreeId[] = []
  authors.listeners.add((tree) => told.push(tree))
  return {
    authors,
    open,
    told,
    store: (...runs: AttestedRun[]) => void (stored = runs),
    /** The disk answers when the returned function is called. */
    holdDisk: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      disk = promise
      return resolve
    },
    by: (clock: number, tree: string = treeId) =>
      authors.of({ treeId: tree, clock, peerId: '7' })?.userId ?? null,
  }
}

test('who committed an operation is known of open trees, once it was read or told, and listeners hear of it', async () => {
  const { authors, open, told, store, by } = setUp()
  authors.learn([run(1, 1, anna)])
  expect(by(1)).toBe(null)
  store(run(1, 2, anna))
  open.push(treeId)
  await authors.read(treeId)
  expect([by(1), by(2), by(3)]).toEqual([anna, anna, null])
  authors.learn([run(3, 3, ben), run(1, 1, ben, 'closed' as TreeId)])
  expect([by(3), by(1, 'closed'), by(1, 'not an id!')]).toEqual([ben, null, null])
  expect(told).toEqual([treeId, treeId])
})

test('what is told while a tree is read is not missed, and does not replace what was stored before', async () => {
  const { authors, open, store, holdDisk, by } = setUp()
  store(run(1, 2, anna))
  const answer = holdDisk()
  open.push(treeId)
  const reading = authors.read(treeId)
  authors.learn([run(2, 3, ben)])
  answer()
  await reading
  expect([by(1), by(2), by(3)]).toEqual([anna, anna, ben])
})

test('a tree that was created here is known from the first ack on', () => {
  const { authors, open, told, by } = setUp()
  open.push(treeId)
  authors.learn([run(1, 9, anna)])
  expect(by(5)).toBe(anna)
  expect(told).toEqual([treeId])
})

test('a tree that is read again is by whom the storage says', async () => {
  const { authors, open, store, by } = setUp()
  open.push(treeId)
  await authors.read(treeId)
  authors.learn([run(1, 1, anna)])
  // Its content was replaced: another log has somebody else's operation under that id.
  store(run(1, 1, ben))
  await authors.read(treeId)
  expect(by(1)).toBe(ben)
})
