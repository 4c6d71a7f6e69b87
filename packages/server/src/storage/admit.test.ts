import { limits, opKey, type TreeId, type TreeOperation } from '@t69/protocol'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import type { VertexName } from '../logs/op-log.ts'
import { appendTo, moveOp, newEpoch, opsFrom, setOp, spaceId } from '../testing/ops.ts'
import { admit, createStage } from './admit.ts'

const openLog = () => createMemoryOpLogs().open(spaceId, newEpoch())

/** Few ids and few contents, so that they collide. */
const anyOp = fc
  .record({
    clock: fc.integer({ min: 1, max: 6 }),
    peer: fc.constantFrom('1', '2'),
    tree: fc.constantFrom('tree', 'other'),
    value: fc.constantFrom('a', 'b', null),
  })
  .map(({ clock, value, ...where }) => setOp(clock, value, where))

describe('admission', () => {
  it('[PU3] agrees with a map from ids to contents, for any pushes in any groups', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.array(anyOp, { maxLength: 8 }), { maxLength: 4 })), (groups) => {
        const log = openLog()
        const model = new Map<string, TreeOperation>()
        for (const group of groups) {
          const stage = createStage(log)
          const committed: TreeOperation[] = []
          for (const ops of group) {
            const { accepted, duplicates, rejected } = admit(ops, stage)
            for (const op of accepted) stage.add(op)
            const expected = { accepted: [] as TreeOperation[], duplicates: 0, rejected: [] as number[] }
            for (const [index, op] of ops.entries()) {
              const known = model.get(opKey(op))
              if (known === undefined) {
                model.set(opKey(op), op)
                expected.accepted.push(op)
              } else if (known.value === op.value) expected.duplicates++
              else expected.rejected.push(index)
            }
            expect(accepted).toEqual(expected.accepted)
            expect(duplicates).toBe(expected.duplicates)
            expect(rejected.map(({ index }) => index)).toEqual(expected.rejected)
            committed.push(...accepted)
          }
          appendTo(log, committed)
        }
      }),
    )
  })

  it.each([
    ['another value', setOp(1, 'b')],
    ['no value', setOp(1, undefined)],
    ['null', setOp(1, null)],
    ['another target', setOp(1, 'a', { target: 'else' })],
    ['a move', moveOp(1, 'tree')],
  ])('[PU4] rejects an operation whose id is in the log with %s', (_, op) => {
    const log = openLog()
    appendTo(log, [setOp(1, 'a')])
    const { accepted, rejected } = admit([op, setOp(2, 'next')], log)
    expect(rejected).toMatchObject([{ index: 0, code: 'op_conflict' }])
    expect(accepted).toEqual([setOp(2, 'next')])
  })

  it('[PU4] rejects an operation whose id came earlier in the batch with another content', () => {
    const { accepted, duplicates, rejected } = admit([setOp(1, 'a'), setOp(1, 'b'), setOp(1, 'a')], openLog())
    expect(accepted).toHaveLength(1)
    expect(duplicates).toBe(1)
    expect(rejected).toMatchObject([{ index: 1, code: 'op_conflict' }])
  })

  it('[PU3] treats values with the same JSON as equal', () => {
    const log = openLog()
    appendTo(log, [setOp(1, { a: [1, { b: 'c' }] })])
    expect(admit([setOp(1, { a: [1, { b: 'c' }] })], log)).toMatchObject({ duplicates: 1, rejected: [] })
  })

  it("[PU5] rejects a clock further above its tree's highest than the window", () => {
    const log = openLog()
    appendTo(log, [setOp(5, 'a')])
    const edge = 5 + limits.clockWindow
    const ops = [
      setOp(edge + 1, 'too far'),
      setOp(edge, 'at the edge'),
      // An accepted operation raises the highest clock, a rejected one does not.
      setOp(edge + limits.clockWindow + 1, 'too far'),
      setOp(edge + limits.clockWindow, 'at the new edge'),
      setOp(limits.clockWindow + 1, 'a new tree starts at 0', { tree: 'other' }),
    ]
    const { accepted, rejected } = admit(ops, log)
    expect(accepted).toEqual([ops[1], ops[3]])
    expect(rejected).toMatchObject(
      [0, 2, 4].map((index) => ({
        index,
        code: 'clock_out_of_range',
        message: expect.stringContaining('highest'),
      })),
    )
  })

  it('asks the log nothing about operations above its highest clock', () => {
    const log = openLog()
    appendTo(log, opsFrom(1, 3))
    let lookups = 0
    const counted = {
      wasDeleted: (vertex: VertexName) => log.wasDeleted(vertex),
      maxClock: (tree: TreeId) => log.maxClock(tree),
      compare: (op: TreeOperation) => {
        lookups++
        return log.compare(op)
      },
    }
    admit(opsFrom(4, 100), counted)
    expect(lookups).toBe(0)
    admit(opsFrom(3, 2), counted)
    expect(lookups).toBe(1)
  })

  it('[QU1] rejects every adding operation over the quota, and takes deletes', () => {
    const log = openLog()
    appendTo(log, [setOp(1, 'here')])
    const ops = [
      setOp(1, 'here'),
      setOp(2, 'fits'),
      setOp(3, 'too much'),
      moveOp(4, '0'),
      setOp(5, undefined),
      moveOp(6, 'elsewhere', { target: 'new' }),
      setOp(7, null),
      setOp(1, 'else'),
    ]
    const { accepted, duplicates, rejected } = admit(ops, log, {
      ops: 1,
      deletes: 9,
      returns: 9,
      reason: 'it is full',
    })
    expect(accepted).toEqual([ops[1], ops[3], ops[4]])
    expect(duplicates).toBe(1)
    expect(rejected.map(({ index, code }) => [index, code])).toEqual([
      [2, 'quota_exceeded'],
      [5, 'quota_exceeded'],
      [6, 'quota_exceeded'],
      [7, 'op_conflict'],
    ])
    expect(rejected[0]?.message).toBe('it is full')
  })

  it('[QU2] takes only as many deletes as there is room for', () => {
    const ops = Array.from({ length: 5 }, (_, index) => moveOp(index + 1, '0'))
    const headroom = { ops: 0, deletes: 3, returns: 3, reason: 'full' }
    const { accepted, rejected } = admit(ops, openLog(), headroom)
    expect(accepted).toHaveLength(3)
    expect(rejected.map(({ index }) => index)).toEqual([3, 4])
  })

  it('[QU2] takes moves that undo a delete, even one of the same turn, as long as there is room', () => {
    const log = openLog()
    appendTo(log, [moveOp(1, 'tree', { target: 'a' }), moveOp(2, '0', { target: 'a' })])
    const stage = createStage(log)
    stage.add(moveOp(3, '0', { target: 'b' }))
    const ops = [
      moveOp(4, 'tree', { target: 'a' }),
      moveOp(5, 'tree', { target: 'b' }),
      moveOp(6, '0', { target: 'c' }),
      moveOp(7, 'tree', { target: 'c' }),
      // Neither this vertex was deleted, nor one with its id in another tree.
      moveOp(8, 'tree', { target: 'd' }),
      moveOp(9, 'other', { target: 'a', tree: 'other' }),
      setOp(10, 'more', { target: 'a' }),
      moveOp(11, 'tree', { target: 'a' }),
    ]
    const taken = (headroom: { ops: number; deletes: number; returns: number }) =>
      admit(ops, stage, { ...headroom, reason: 'full' }).accepted.map(({ clock }) => clock)
    expect(taken({ ops: 0, deletes: 9, returns: 9 })).toEqual([4, 5, 6, 7, 11])
    expect(taken({ ops: 0, deletes: 0, returns: 2 })).toEqual([4, 5])
    expect(taken({ ops: 1, deletes: 2, returns: 3 })).toEqual([4, 5, 11])
  })

  it('serializes a large value once, for any number of comparisons', () => {
    let made = 0
    const value = { text: 'x'.repeat(500_000) }
    Object.defineProperty(value, 'toJSON', { value: () => `${++made}` })
    const conflicts = Array.from({ length: 1_000 }, (_, index) => setOp(1, [index]))
    const { rejected } = admit([setOp(1, value), ...conflicts], openLog())
    expect(rejected).toHaveLength(conflicts.length)
    expect(made).toBe(1)
  })

  it('finds an operation among many of the same clock in as few steps as any other', () => {
    const count = 1_000
    let asked = 0
    const ops = Array.from({ length: count }, (_, index) => {
      const op = setOp(1, index, { peer: `${index}` })
      const { peerId } = op
      return Object.defineProperty(op, 'peerId', { get: () => (asked++, peerId) })
    })
    expect(admit([...ops, ...ops], openLog()).duplicates).toBe(count)
    // The peer of each of the 2,000 is read four times, not once for each comparison.
    expect(asked).toBeLessThanOrEqual(8 * count)
  })
})
