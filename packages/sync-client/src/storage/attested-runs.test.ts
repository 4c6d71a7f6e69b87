import type { Commit, TreeId, UserId } from '@t69/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'

import { addRun, attestationAt, attestedRuns, disputedBy, forgetRun, type ClockRun } from './attested-runs.ts'
import { someOps } from './client-storage.contract.ts'

const users = ['1', '2', '3'].map((digit) => digit.repeat(32) as UserId)
const userArbitrary = fc.constantFrom(...users)

const runArbitrary: fc.Arbitrary<ClockRun> = fc
  .record({
    from: fc.integer({ min: 1, max: 40 }),
    length: fc.integer({ min: 0, max: 9 }),
    userId: userArbitrary,
    at: fc.constantFrom(1, 2),
  })
  .map(({ from, length, ...hand }) => ({ from, to: from + length, ...hand }))

const stepArbitrary = fc.oneof(
  { weight: 5, arbitrary: runArbitrary },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 50 }) },
)

test('[CO6] runs of clocks say the same as a map that keeps what it was told first', () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 30 }), runArbitrary, (steps, asked) => {
      const runs: ClockRun[] = []
      const model = new Map<number, { userId: UserId; at: number }>()
      for (const step of steps) {
        if (typeof step === 'number') {
          forgetRun(runs, step)
          model.delete(step)
          continue
        }
        addRun(runs, step)
        const { from, to, userId, at } = step
        for (let clock = from; clock <= to; clock++) if (!model.has(clock)) model.set(clock, { userId, at })
      }
      for (let clock = 0; clock <= 51; clock++) {
        const found = attestationAt(runs, clock)
        expect(found && { userId: found.userId, at: found.at }).toEqual(model.get(clock))
      }
      const disputed = disputedBy(runs, asked).flatMap(({ from, to }) =>
        Array.from({ length: to - from + 1 }, (_, n) => from + n),
      )
      const expected = Array.from({ length: asked.to - asked.from + 1 }, (_, n) => asked.from + n).filter(
        (clock) => (model.get(clock)?.userId ?? asked.userId) !== asked.userId,
      )
      expect(disputed).toEqual(expected)
    }),
    { numRuns: 2_000 },
  )
})

test('runs are sorted, apart from each other, and as few as they can be when they are added in order', () => {
  fc.assert(
    fc.property(fc.array(runArbitrary, { maxLength: 30 }), (added) => {
      const runs: ClockRun[] = []
      for (const run of added) addRun(runs, run)
      for (const [index, run] of runs.entries()) {
        expect(run.from).toBeLessThanOrEqual(run.to)
        const next = runs[index + 1]
        if (next === undefined) continue
        expect(next.from).toBeGreaterThan(run.to)
        const isOne = next.from === run.to + 1 && next.userId === run.userId && next.at === run.at
        expect(isOne).toBe(false)
      }
    }),
  )
  const runs: ClockRun[] = []
  const [userId] = users
  for (let clock = 1; clock <= 1_000 && userId !== undefined; clock++)
    addRun(runs, { from: clock, to: clock, userId, at: 1 })
  expect(runs).toEqual([{ from: 1, to: 1_000, userId, at: 1 }])
})

test('[CO1] [CO3] a page attests each operation as the last commit before it says', () => {
  const commitArbitrary = fc.record({
    length: fc.integer({ min: 1, max: 5 }),
    userId: fc.option(userArbitrary),
  })
  const opArbitrary = fc.record({ tree: fc.constantFrom('t', 'u'), peer: fc.constantFrom('1', '2') })
  fc.assert(
    fc.property(
      fc.array(commitArbitrary, { maxLength: 8 }),
      fc.array(opArbitrary, { minLength: 40, maxLength: 40 }),
      fc.nat(100),
      (committed, drawn, after) => {
        const commits: Commit[] = []
        const expected = new Map<string, unknown>()
        let seq = after
        for (const [index, { length, userId }] of committed.entries()) {
          commits.push({ after: seq, userId, at: index })
          seq += length
        }
        const ops = drawn.slice(0, seq - after).map(({ tree, peer }, index) => {
          const [op] = someOps({ tree: tree as TreeId, peer, from: index + 1 })
          if (op === undefined) throw new Error('no operation')
          const { userId, at } = commits.findLast((commit) => commit.after <= after + index) ?? {
            userId: null,
            at: 0,
          }
          if (userId !== null) expected.set(`${tree}/${peer}/${index + 1}`, { userId, at })
          return op
        })
        const found = new Map<string, unknown>()
        for (const { treeId, peerId, from, to, userId, at } of attestedRuns(ops, after, commits)) {
          for (let clock = from; clock <= to; clock++)
            found.set(`${treeId}/${peerId}/${clock}`, { userId, at })
        }
        expect(found).toEqual(expected)
      },
    ),
  )
})

test('commits that go to and fro attest each operation once', () => {
  const ops = [1, 3, 5, 7].flatMap((clock) => someOps({ tree: 't' as TreeId, peer: '1', from: clock }))
  const commits = users.flatMap((userId): Commit[] => [
    { after: 0, userId, at: 1 },
    { after: 4, userId, at: 2 },
  ])
  expect(attestedRuns(ops, 0, commits).map(({ from }) => from)).toEqual([1, 3, 5, 7])
})
