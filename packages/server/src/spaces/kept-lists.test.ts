import { SyncError, type SpaceId } from '@t69/protocol'
import { expect, it } from 'vitest'

import { createKeptLists } from './kept-lists.ts'

const spaceId = (nr: number): SpaceId => String(nr).padStart(32, '0') as SpaceId
const ids = (from: number, count: number): SpaceId[] =>
  Array.from({ length: count }, (_, nr) => spaceId(from + nr))

/** Logs that take a list when the test says so, those that are waiting, and what was logged. */
function setUp() {
  const waiting = new Map<SpaceId, { take(): void; fail(error: unknown): void }>()
  const logged: unknown[] = []
  const log = (...args: unknown[]): void => void logged.push(args)
  const lists = createKeptLists({
    spaces: {
      keepAccess: (id, inTurn = (keep) => keep()) =>
        inTurn(() => new Promise((resolve, reject) => void waiting.set(id, { take: resolve, fail: reject }))),
    },
    logger: { info: log, warn: log, error: log },
  })
  async function take(id: SpaceId): Promise<void> {
    await turns()
    waiting.get(id)?.take()
    waiting.delete(id)
    await turns()
  }
  return { lists, waiting, logged, take }
}

const turns = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

it('whoever changes one list does not stand behind thousands', async () => {
  const { lists, waiting, take } = setUp()
  lists.keep(ids(1, 3_000))
  const kept = lists.begin()
  lists.keep([spaceId(5_000)])
  await turns()
  expect(waiting.size).toBe(11)
  await take(spaceId(5_000))
  await kept()
})

it('waits for each list that has changed since, many and few, and for the few that had changed before', async () => {
  const { lists, take } = setUp()
  lists.keep([spaceId(1)])
  let done = false
  const kept = lists.begin()
  lists.keep(ids(2, 12))
  lists.keep([spaceId(20)])
  const all = kept().then(() => (done = true))
  for (const id of [...ids(2, 12), spaceId(20), spaceId(1)]) {
    await turns()
    expect(done).toBe(false)
    await take(id)
  }
  await all
})

it('does not wait for ever for a log that takes no list, and logs what is no failure of the storage', async () => {
  const { lists, waiting, logged } = setUp()
  const kept = lists.begin()
  lists.keep(ids(1, 2))
  await turns()
  waiting.get(spaceId(1))?.fail(new SyncError('storage_failed', 'The disk is full'))
  waiting.get(spaceId(2))?.fail(new TypeError('a bug'))
  await kept()
  expect(logged).toHaveLength(1)
})
