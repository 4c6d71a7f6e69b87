import type { SpaceId, UserId } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { type Bounds, headroomIn } from '../storage/allotment.ts'
import { createManualRuntime } from '../testing/manual-runtime.ts'
import { newUserId, otherSpaceId, spaceId } from '../testing/ops.ts'
import { createQuotas } from './quotas.ts'

const limits = { spaceOps: 100, spaceBytes: 10_000, userBytes: 25_000 }

function setUp() {
  const runtime = createManualRuntime()
  const payer = newUserId()
  const sizes = new Map<SpaceId, number>([[spaceId, 0]])
  const counted: UserId[] = []
  const payers = {
    payerOf: (space: SpaceId) => (sizes.has(space) ? payer : undefined),
    paidBy: (userId: UserId) => {
      counted.push(userId)
      return [...sizes.keys()]
    },
  }
  const quotas = createQuotas({
    limits,
    payers,
    bytesOf: async (spaces) => spaces.reduce((sum, space) => sum + (sizes.get(space) ?? 0), 0),
    monotonic: runtime.monotonic,
  })
  const roomIn = async (space: SpaceId, held: Bounds) => headroomIn(await quotas.allotmentOf(space), held)
  return { runtime, sizes, counted, payers, quotas, roomIn }
}

describe('quotas', () => {
  it('[QU1] [QU2] count operations: a full space has room for as many deletes as it may hold', async () => {
    const { roomIn } = setUp()
    expect(await roomIn(spaceId, { ops: 0, bytes: 0 })).toMatchObject({ ops: 100, deletes: 200 })
    expect(await roomIn(spaceId, { ops: 99, bytes: 0 })).toMatchObject({ ops: 1, deletes: 101 })
    expect(await roomIn(spaceId, { ops: 150, bytes: 0 })).toMatchObject({
      ops: 0,
      deletes: 50,
      returns: 150,
    })
    expect(await roomIn(spaceId, { ops: 200, bytes: 0 })).toMatchObject({ deletes: 0, returns: 100 })
    expect(await roomIn(spaceId, { ops: 300, bytes: 0 })).toMatchObject({
      ops: 0,
      deletes: 0,
      returns: 0,
    })
    expect((await roomIn(spaceId, { ops: 100, bytes: 0 })).reason).toContain('100 edits')
  })

  it('[QU1] [QU2] count the bytes of a space, and of all spaces of its payer', async () => {
    const { roomIn, sizes } = setUp()
    expect((await roomIn(spaceId, { ops: 5, bytes: 9_999 })).ops).toBe(95)
    const full = await roomIn(spaceId, { ops: 5, bytes: 10_000 })
    expect(full).toMatchObject({ ops: 0, deletes: 195 })
    expect(full.reason).toMatch(/^the space is full/)
    expect((await roomIn(spaceId, { ops: 5, bytes: 20_000 })).deletes).toBe(0)

    const other = setUp()
    other.sizes.set(otherSpaceId, 24_000).set(spaceId, 1_000)
    const paid = await other.roomIn(spaceId, { ops: 5, bytes: 1_000 })
    expect(paid).toMatchObject({ ops: 0, deletes: 195 })
    expect(paid.reason).toMatch(/^the spaces of its owner are full/)
    sizes.clear()
    // A space without an owner has no payer.
    expect((await roomIn(otherSpaceId, { ops: 5, bytes: 1_000 })).ops).toBe(95)
  })

  it('never fail a commit that has happened, even if the accounts cannot be read', async () => {
    const { quotas, roomIn, payers, runtime } = setUp()
    expect((await roomIn(spaceId, { ops: 0, bytes: 0 })).ops).toBe(100)
    runtime.advance(1_001)
    payers.payerOf = () => {
      throw new Error('the accounts cannot be read')
    }
    expect(() => quotas.grown(spaceId, 1)).not.toThrow()
  })

  it('ask once a second whose quota a space counts against', async () => {
    const { quotas, roomIn, payers, runtime } = setUp()
    const asked: SpaceId[] = []
    const { payerOf } = payers
    payers.payerOf = (space) => {
      asked.push(space)
      return payerOf(space)
    }
    await roomIn(spaceId, { ops: 0, bytes: 0 })
    quotas.grown(spaceId, 1)
    await roomIn(spaceId, { ops: 1, bytes: 1 })
    expect(asked).toEqual([spaceId])
    runtime.advance(1_001)
    await roomIn(spaceId, { ops: 1, bytes: 1 })
    expect(asked).toEqual([spaceId, spaceId])
  })

  it('[QU3] count files a minute later, also when the clock was set back meanwhile', async () => {
    const { roomIn, sizes, runtime, counted } = setUp()
    await roomIn(spaceId, { ops: 0, bytes: 0 })
    runtime.set(0)
    runtime.advance(60_000)
    sizes.set(otherSpaceId, 25_000)
    expect((await roomIn(spaceId, { ops: 0, bytes: 0 })).ops).toBe(0)
    expect(counted).toHaveLength(2)
  })

  it('[QU3] count files once a minute, and add pushes in between', async () => {
    const { quotas, roomIn, sizes, runtime, counted } = setUp()
    sizes.set(otherSpaceId, 20_000)
    const opsLeft = async () => (await roomIn(spaceId, { ops: 0, bytes: 0 })).ops
    expect(await opsLeft()).toBe(100)
    quotas.grown(spaceId, 4_999)
    expect(await opsLeft()).toBe(100)
    quotas.grown(spaceId, 1)
    expect(await opsLeft()).toBe(0)
    sizes.delete(otherSpaceId)
    runtime.advance(59_999)
    expect(await opsLeft()).toBe(0)
    expect(counted).toHaveLength(1)
    runtime.advance(1)
    expect(await opsLeft()).toBe(100)
    expect(counted).toHaveLength(2)
  })
})
