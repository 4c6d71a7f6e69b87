import { encodeBatch, nullVertexId, type TreeOperation } from '@t69/protocol'
import fc from 'fast-check'
import { expect, it } from 'vitest'

import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import type { OpLog } from '../logs/op-log.ts'
import { anybody, appendTo, moveOp, newEpoch, newUserId, opsFrom, setOp, spaceId } from '../testing/ops.ts'
import { unlimitedAllotment } from './allotment.ts'
import { createCachedView } from './cached-view.ts'
import { commitGroup } from './commit-group.ts'
import { finish } from './steps.ts'

/** A log with some operations, which counts what one step asks of it and appends. */
function countedLog() {
  const log = createMemoryOpLogs().open(spaceId, newEpoch())
  appendTo(log, opsFrom(1, 3_000))
  const counts = { lookUps: 0, appended: 0, appends: 0 }
  const counted: OpLog = Object.create(log, {
    lookUp: {
      value: (ops: readonly TreeOperation[]) => {
        counts.lookUps += ops.length
        return log.lookUp(ops)
      },
    },
    wasDeleted: {
      value: (vertex: Parameters<OpLog['wasDeleted']>[0]) => {
        counts.lookUps++
        return log.wasDeleted(vertex)
      },
    },
    append: {
      value: (...given: Parameters<OpLog['append']>) => {
        const [contributions] = given
        for (const { ops } of contributions) counts.appended += ops.length
        counts.appends++
        return log.append(...given)
      },
    },
  })
  return { log, counted, counts }
}

/** Pushes of every shape: new operations, known ones, other content under known ids, deletes, far clocks, no batch at all. */
const shapes = {
  new: (count: number, nth: number) => opsFrom(10_000, count, { peer: `${nth + 1}` }),
  known: (count: number) => opsFrom(1, Math.min(count, 3_000)),
  conflicting: (count: number) =>
    Array.from({ length: Math.min(count, 3_000) }, (_, nr) => setOp(nr + 1, nr)),
  older: (count: number, nth: number) => opsFrom(1, Math.min(count, 2_900), { peer: `9${nth}` }),
  deletes: (count: number, nth: number) =>
    Array.from({ length: count }, (_, nr) =>
      moveOp(10_000 + nr, nullVertexId, { peer: `8${nth}`, target: `v${nr}` }),
    ),
  far: (count: number) => opsFrom(1e12, Math.min(count, 5_000)),
} as const

const pushes = fc.array(
  fc.record({
    shape: fc.constantFrom(...(Object.keys(shapes) as (keyof typeof shapes)[])),
    count: fc.constantFrom(1, 50, 1_999, 2_000, 2_001, 9_000),
    userId: fc.constantFrom(anybody, newUserId()),
  }),
  { minLength: 1, maxLength: 4 },
)

it('[PU6] no step of a commit does more than its share, and the outcome is that of one step', () => {
  fc.assert(
    fc.property(pushes, (drawn) => {
      const { log, counted, counts } = countedLog()
      const group = {
        spaceId,
        pushes: drawn.map(({ shape, count, userId }, nth) => ({
          userId,
          batch: encodeBatch({ spaceId, ops: shapes[shape](count, nth) }),
        })),
        allotment: unlimitedAllotment,
        now: 1_000_000,
      }
      const before = log.head
      const steps = commitGroup(counted, createCachedView(counted), group)
      for (;;) {
        Object.assign(counts, { lookUps: 0, appended: 0, appends: 0 })
        const step = steps.next()
        // The end of one push and the beginning of the next.
        expect(counts.lookUps).toBeLessThanOrEqual(4_000)
        expect(counts.appended).toBeLessThanOrEqual(2_000)
        expect(counts.appends).toBeLessThanOrEqual(1)
        if (step.done !== true) continue
        const { results, state } = step.value
        expect(state.head).toBe(log.head)
        let reached = before
        for (const result of results) {
          if (!result.ok || result.after === result.cursor) continue
          expect(result.after).toBe(reached)
          reached = result.cursor
        }
        expect(reached).toBe(log.head)
        break
      }
    }),
    { numRuns: 30, seed: 20261129 },
  )
})

it('a commit that fails between two steps leaves what it appended before, and says so by the head', () => {
  const { log } = countedLog()
  let appends = 0
  const failing: OpLog = Object.create(log, {
    append: {
      value: (...given: Parameters<OpLog['append']>) => {
        if (++appends === 3) throw new Error('the disk is full')
        return log.append(...given)
      },
    },
  })
  const batch = encodeBatch({ spaceId, ops: opsFrom(10_000, 9_000) })
  const group = { spaceId, pushes: [{ userId: anybody, batch }], allotment: unlimitedAllotment, now: 1 }
  const commit = (on: OpLog) => finish(commitGroup(on, createCachedView(on), group))
  expect(() => commit(failing)).toThrow('the disk is full')
  expect(log.head).toBe(7_000)
  // What is pushed again is known in part, and nothing is there twice.
  expect(commit(log).results).toMatchObject([{ ok: true, duplicates: 4_000 }])
  expect(log.head).toBe(12_000)
})
