import { expect, it } from 'vitest'

import { op } from '../machine/testing/machine-world.ts'
import { createManualTime } from '../runtime/testing/manual-time.ts'
import { createPacedMerge } from './paced-merge.ts'

it('[RE2] moves that merge slowly are gathered, merged together in a fifth of the time, and none is lost', async () => {
  const time = createManualTime()
  let tookMs = 0
  let wasBehind = false
  const told: boolean[] = []
  const merges: number[][] = []
  const paced = createPacedMerge(
    { ...time, now: () => time.now() + tookMs },
    (ops) => {
      tookMs += 10
      merges.push(ops.map(({ clock }) => clock))
    },
    () => told.push(paced.isBehind),
  )
  for (let clock = 1; clock <= 1_000; clock++) {
    paced.add([op(clock)])
    wasBehind ||= paced.isBehind
    await time.pass(1)
  }
  expect(wasBehind).toBe(true)
  await time.pass(100)
  expect(paced.isBehind).toBe(false)
  // Told of each change, so that a status that says how far this tab is changes with it.
  expect(told.length).toBeGreaterThan(2)
  expect(told.map((isBehind, index) => isBehind === (index % 2 === 0))).not.toContain(false)
  expect(merges.flat()).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1))
  expect(tookMs).toBeLessThan(1_000 / 3)
})

it('a paced merge is made at once while merging is fast, and not at all after `stop`', async () => {
  const time = createManualTime()
  const merged: number[] = []
  let tookMs = 0
  let costMs = 0
  const paced = createPacedMerge({ ...time, now: () => time.now() + tookMs }, (ops) => {
    tookMs += costMs
    for (const { clock } of ops) merged.push(clock)
  })
  for (const clock of [1, 2, 3]) paced.add([op(clock)])
  expect(merged).toEqual([1, 2, 3])
  expect(time.waiting).toEqual([])
  costMs = 10
  for (const clock of [4, 5]) paced.add([op(clock)])
  paced.stop()
  await time.pass(1_000)
  expect(merged).toEqual([1, 2, 3, 4])
})
