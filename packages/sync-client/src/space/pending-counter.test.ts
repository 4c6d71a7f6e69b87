import { expect, it } from 'vitest'

import { spaceId } from '../machine/testing/machine-world.ts'
import { createManualTime } from '../runtime/testing/manual-time.ts'
import { memoryStorage } from '../storage/memory-storage.ts'
import { createPendingCounter } from './pending-counter.ts'

it('a count that fails after the space was closed is not repeated, unless the space is open again', async () => {
  const storage = memoryStorage()
  const time = createManualTime()
  const counter = createPendingCounter(spaceId, { storage, runtime: time, onCounted: () => {} })
  const count = storage.countPending.bind(storage)
  storage.countPending = () => Promise.reject(new Error('the storage is closed'))
  counter.stop()
  // The last edits are stored while the space is being closed, and counted then.
  await counter.recount()
  expect(time.waiting).toEqual([])

  counter.start()
  await counter.recount()
  expect(time.waiting).toHaveLength(1)
  storage.countPending = async () => ({ ...(await count(spaceId)), pending: 3 })
  await time.pass(5_000)
  expect(counter.counts.pending).toBe(3)
  expect(time.waiting).toEqual([])
})
