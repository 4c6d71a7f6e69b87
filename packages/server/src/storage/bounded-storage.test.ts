import type { SpaceId } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import { newEpoch } from '../testing/ops.ts'
import { boundOpenLogs } from './bounded-storage.ts'
import { createInlineStorage } from './inline-storage.ts'
import type { Storage } from './storage.ts'

const id = (nr: number) => `${nr}`.padStart(32, '0') as SpaceId

/** A storage with two places. Openings end when the test says so. */
function setUp() {
  const inner = createInlineStorage(createMemoryOpLogs(), newEpoch())
  let open = 0
  let most = 0
  const counted: Storage = {
    ...inner,
    open: async (given) => {
      if (given.spaceId === id(0)) return 'deleted'
      most = Math.max(most, ++open)
      try {
        return await inner.open(given)
      } catch (error) {
        open--
        throw error
      }
    },
    release: async (given) => {
      open--
      return inner.release(given)
    },
  }
  const storage = boundOpenLogs(counted, 2)
  return {
    storage,
    inner,
    most: () => most,
    open: (nr: number) => storage.open({ spaceId: id(nr), left: undefined }),
  }
}

describe('a storage with a bounded number of open logs', () => {
  it('opens more once others are closed, in the order in which they were asked for', async () => {
    const { storage, open, most } = setUp()
    const opened: number[] = []
    const opening = [1, 2, 3, 4, 5].map(async (nr) => {
      await open(nr)
      opened.push(nr)
    })
    await Promise.all(opening.slice(0, 2))
    for (const nr of [1, 2, 3]) {
      await storage.release({ spaceId: id(nr) })
      await opening[nr + 1]
    }
    expect(opened).toEqual([1, 2, 3, 4, 5])
    expect(most()).toBe(2)
  })

  it('gives the place of a log that cannot be opened, was deleted or is removed to the next', async () => {
    const { storage, inner, open } = setUp()
    for (let times = 0; times < 3; times++) expect(await open(0)).toBe('deleted')
    await open(2)
    await open(3)
    const next = open(4)
    await storage.remove({ spaceId: id(2) })
    await next
    // Repeated releases free nothing twice.
    await storage.release({ spaceId: id(2) })
    await inner.close()
    const refused = open(5)
    await expect(storage.release({ spaceId: id(3) })).rejects.toMatchObject({ code: 'unavailable' })
    await expect(refused).rejects.toMatchObject({ code: 'unavailable' })
    await expect(open(6)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('does not wait for a place to open again what is open', async () => {
    const { open } = setUp()
    await open(1)
    await open(2)
    expect(await open(2)).toMatchObject({ standing: 'same' })
  })
})
