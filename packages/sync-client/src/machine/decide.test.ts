import type { Epoch, LogId, PeerId, SpaceId, TreeId, TreeOperation, VertexId } from '@t69/protocol'
import { limits, randomHexId } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { restAfterMs } from '../runtime/merge-pace.ts'
import { decide } from './decide.ts'
import { createSyncMachine, type LogRange, type SyncMachine } from './state.ts'

const logId = randomHexId() as LogId
const epoch = randomHexId() as Epoch

function opsOf(count: number): TreeOperation[] {
  return Array.from({ length: count }, (_, index) => ({
    clock: index + 1,
    peerId: '1' as PeerId,
    treeId: 'tree' as TreeId,
    spaceId: 'a'.repeat(32) as SpaceId,
    targetId: 'vertex' as VertexId,
    key: 'name',
  }))
}

const range = (after: number, cursor: number, count = cursor - after): LogRange => ({
  logId,
  epoch,
  after,
  cursor,
  ops: opsOf(count),
  attested: [],
})

function at(cursor: number, given: Partial<SyncMachine>): SyncMachine {
  const saved = { identity: null, logId, epoch, cursor, reconciling: false }
  return { ...createSyncMachine({ saved, registered: true }), link: 'joined', head: 1_000, ...given }
}

describe('The inbox', () => {
  it('[CL4] stores all ranges that follow on each other in one transaction', () => {
    const inbox = [range(3, 5), range(1, 3), range(5, 6), range(6, 9)]
    const { machine, effects } = decide(at(5, { inbox }))
    expect(effects[0]).toMatchObject({ do: 'write', write: { kind: 'append', state: { cursor: 9 } } })
    expect(machine.write).toMatchObject({ ops: { length: 4 } })
    expect(machine.inbox).toEqual([])
  })

  it('[CL4] keeps a range behind a gap that an ack may fill, and drops it behind any other gap', () => {
    const filled = decide(at(3, { inbox: [range(3, 5), range(6, 8)] }))
    expect(filled.machine.write).toMatchObject({ state: { cursor: 5 } })
    expect(filled.machine.inbox).toEqual([range(6, 8)])
    const dropped = decide(at(3, { inbox: [range(4, 5), range(6, 8)] }))
    expect(dropped.machine.write).toBeNull()
    expect(dropped.effects).toMatchObject([{ do: 'request', request: { kind: 'pull', after: 3 } }])
  })

  it('[CL5] stores nothing until the join is answered, which may say to read the log again', () => {
    const joining = at(3, { link: 'up', request: 'join', inbox: [range(3, 5)] })
    expect(decide(joining).machine.write).toBeNull()
    // If the join was refused for now, it is sent again, whatever is in the inbox.
    expect(decide({ ...joining, request: null }).effects).toMatchObject([{ request: { kind: 'join' } }])
  })

  it('stores at most as many operations at once as a page has', () => {
    const half = limits.maxBatchOps / 2
    const inbox = [range(0, half), range(half, 2 * half), range(2 * half, 2 * half + 1)]
    const { machine } = decide(at(0, { inbox }))
    expect(machine.write).toMatchObject({ ops: { length: 2 * half } })
    expect(machine.inbox).toHaveLength(1)
  })
})

it('merging rests after merges that took long for their number of operations, and not after a page', () => {
  expect(restAfterMs(1, 1)).toBe(0)
  expect(restAfterMs(100, 20_000)).toBe(0)
  expect(restAfterMs(6, 1)).toBe(24)
  expect(restAfterMs(250, 1_000)).toBe(1_000)
  // The device slept for a night during a merge.
  expect(restAfterMs(8 * 3_600_000, 1)).toBeLessThan(10_000)
})
