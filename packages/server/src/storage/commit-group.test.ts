import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { encodeBatch, nullVertexId, type TreeOperation } from '@t69/protocol'
import fc from 'fast-check'
import { expect, it } from 'vitest'

import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import type { OpLog } from '../logs/op-log.ts'
import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import { anybody, appendTo, moveOp, newEpoch, newUserId, opsFrom, setOp, spaceId } from '../testing/ops.ts'
import { type Allotment, unlimitedAllotment } from './allotment.ts'
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

it('reads a few segments in one step, however few operations ask for many', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-group-'))
  const settling = { keepOps: 0, minOps: 1, maxOps: 4_096 }
  const log = createSqliteOpLogs({ dataDir, synchronous: 'normal', settling }).open(spaceId, newEpoch())
  const large = Array.from({ length: 40 }, (_, nr) => setOp(nr + 1, 'x'.repeat(200_000)))
  for (const op of large) appendTo(log, [op])
  while (log.isUnsettled) log.settle()
  const batch = encodeBatch({ spaceId, ops: large.map(({ clock }) => setOp(clock, clock)) })
  const pushes = [{ userId: anybody, batch }]
  const given = { spaceId, pushes, allotment: unlimitedAllotment, now: 1_000_000 }
  const steps = commitGroup(log, createCachedView(log), given)
  let count = 1
  let step = steps.next()
  for (; step.done !== true; step = steps.next()) count++
  log.close()
  rmSync(dataDir, { recursive: true })
  expect(step.value.results).toMatchObject([{ ok: true, rejected: { length: 40 } }])
  expect(count).toBeGreaterThanOrEqual(5)
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

it.each([
  ['pushed again', opsFrom(1, 5), unlimitedAllotment],
  ['over the quota', opsFrom(10_000, 5), fullAllotment()],
])('has a log check what finds its operations a part at a time, for what is %s', (_, ops, allotment) => {
  const { log } = countedLog()
  const asked: string[] = []
  let left = 3
  const counted: OpLog = Object.create(log, {
    checkRows: {
      value: () => {
        asked.push('a part')
        return --left <= 0
      },
    },
    lookUp: {
      value: (...given: Parameters<OpLog['lookUp']>) => {
        asked.push('an operation')
        return log.lookUp(...given)
      },
    },
  })
  const group = {
    spaceId,
    pushes: [{ userId: anybody, batch: encodeBatch({ spaceId, ops }) }],
    allotment,
    now: 1,
  }
  const steps = commitGroup(counted, createCachedView(counted), group)
  for (const parts of [1, 2]) {
    expect(steps.next().done).toBe(false)
    expect(asked).toHaveLength(parts)
  }
  finish(steps)
  expect(asked.slice(0, 3)).toEqual(['a part', 'a part', 'a part'])
})

it('[QU1] refuses by the bytes that the log takes, though it says that it may take more', () => {
  const { log } = countedLog()
  const push = { userId: anybody, batch: encodeBatch({ spaceId, ops: opsFrom(10_000, 5) }) }
  const commit = (bytes: number, given: { readonly atMost: number }) => {
    let asked = 0
    const sized: OpLog = Object.create(log, {
      bytes: { get: () => (asked++, 1_000_000) },
      bytesAtMost: { value: given.atMost },
    })
    const any = { ops: 1_000_000, bytes }
    const allotment = { any, deletes: any, returns: any, reasons: { bytes: 'full', ops: '' } }
    const steps = commitGroup(sized, createCachedView(sized), { spaceId, pushes: [push], allotment, now: 1 })
    const [result] = finish(steps).results
    return { rejected: result?.ok === true ? result.rejected.length : undefined, asked }
  }
  expect(commit(1_000_000, { atMost: 1_500_000 })).toEqual({ rejected: 5, asked: 1 })
  expect(commit(1_400_000, { atMost: 1_500_000 })).toEqual({ rejected: 0, asked: 1 })
  expect(commit(1_600_000, { atMost: 1_500_000 })).toEqual({ rejected: 0, asked: 0 })
})

function fullAllotment(): Allotment {
  const none = { ops: 0, bytes: 0 }
  return { any: none, deletes: none, returns: none, reasons: { bytes: '', ops: 'full' } }
}
