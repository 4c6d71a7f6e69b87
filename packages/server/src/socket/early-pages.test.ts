import type { SpaceId } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import type { UserLimitRates } from '../limits/user-limits.ts'
import type { Storage } from '../storage/storage.ts'
import { createGatewayHarness, settled } from '../testing/gateway-harness.ts'
import { newUserId, opsFrom } from '../testing/ops.ts'
import type { GatewayLimits } from './gateway-limits.ts'

interface SetUp {
  readonly spaces: number
  readonly limits?: Partial<GatewayLimits>
  readonly rates?: Partial<UserLimitRates>
}

/** A device of a user who is in many spaces with something in them, none of which is open. */
async function setUp({ spaces: count, limits, rates }: SetUp) {
  const pages = { read: 0, sent: 0, refused: 0, heldAtOnce: 0 }
  const note = (page: object | undefined): void => {
    if (page !== undefined) pages.read++
    pages.heldAtOnce = Math.max(pages.heldAtOnce, pages.read - pages.sent)
  }
  const around = (storage: Storage): Storage => ({
    ...storage,
    open: async (given) => {
      const opened = await storage.open(given)
      if (opened !== 'deleted') note(opened.joined?.page)
      return opened
    },
    join: async (given) => {
      const joined = await storage.join(given)
      note(joined.page)
      return joined
    },
  })
  const { connect, setRole, runtime, spaces } = createGatewayHarness(limits, rates, around)
  const userId = newUserId()
  const ids = Array.from({ length: count }, (_, nr) => `${nr}`.padStart(32, 'a') as SpaceId)
  for (const id of ids) {
    // Somebody else writes, who pays for that.
    const writer = connect()
    setRole(writer.userId, 'editor', id)
    setRole(userId, 'editor', id)
    await writer.join({}, id)
    await writer.push(opsFrom(1, 3, { space: id }), id)
    writer.connection.closed()
  }
  runtime.advance(20 * 60_000)
  while (spaces.size > 0) await settled()
  Object.assign(pages, { read: 0, sent: 0, refused: 0, heldAtOnce: 0 })
  const device = connect({ userId })
  return {
    pages,
    /** It reads nothing of what it is sent. */
    joinAll: async (): Promise<void> => {
      let answers = 0
      for (const spaceId of ids) {
        device.connection.request('space:join', { spaceId, page: {} }, (reply) => {
          answers++
          if (!reply.ok) pages.refused++
          if (!reply.ok || !('page' in reply) || reply.page === undefined) return
          pages.sent++
          device.backlog += 100_000
        })
      }
      while (answers < ids.length) await settled()
    },
  }
}

describe('[JO8] a device that joins many spaces at once, which have to be opened', () => {
  it('has few pages wait for it', async () => {
    const { pages, joinAll } = await setUp({ spaces: 100, limits: { maxBacklogBytes: Infinity } })
    await joinAll()
    expect(pages).toEqual({ read: 100, sent: 100, refused: 0, heldAtOnce: 4 })
  })

  it('has no pages read while it does not read', async () => {
    const { pages, joinAll } = await setUp({ spaces: 100, limits: { maxBacklogBytes: 1_000_000 } })
    await joinAll()
    expect(pages).toMatchObject({ sent: pages.read, refused: 100 - pages.sent })
    expect(pages.read).toBeLessThan(20)
  })

  it('has no pages read while its user owes', async () => {
    const rates = { operations: { perSecond: 1, burst: 10_200 } }
    const { pages, joinAll } = await setUp({ spaces: 20, rates })
    await joinAll()
    expect(pages).toEqual({ read: 0, sent: 0, refused: 0, heldAtOnce: 0 })
  })
})
