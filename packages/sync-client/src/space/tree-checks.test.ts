import { treeIdSchema } from '@t69/protocol'
import { Replica } from '@t69/replica'
import { expect, it } from 'vitest'

import { createManualTime } from '../runtime/testing/manual-time.ts'
import type { OpenTrees } from './open-trees.ts'
import { createTreeChecks } from './tree-checks.ts'

it('[DV2] a tree that gets no verdict is compared ever more rarely, and the other trees meanwhile', () => {
  const ids = ['large', 'small'].map((id) => treeIdSchema.parse(id))
  const trees = new Map(ids.map((id) => [id, Replica.create(id)]))
  let due = (): void => {}
  let elapsed = 0
  const asked: { treeId: string; at: number }[] = []
  const checks = createTreeChecks({
    runtime: {
      now: () => elapsed,
      random: () => 0,
      setTimer(callback, delayMs) {
        due = () => {
          elapsed += delayMs
          callback()
        }
        return () => {}
      },
    },
    trees: { get: (id) => trees.get(id), ids: () => ids } as Partial<OpenTrees> as OpenTrees,
    readTree: async () => [],
    cursor: () => 7,
    compare(treeId, cursor, digest) {
      asked.push({ treeId, at: elapsed })
      checks.compared({ treeId, cursor, matches: treeId === 'large' ? null : true, digest })
    },
    distrust: () => {},
    report: () => {},
    onReplaced: () => {},
  })
  for (const id of ids) checks.changed(id)
  const day = 24 * 60 * 60_000
  while (elapsed < day) due()
  expect(asked.filter(({ treeId }) => treeId === 'small')).toHaveLength(1)
  expect(asked.length).toBeGreaterThan(10)
  // Every ten minutes: as rarely as if it matched and changed.
  expect(asked.length).toBeLessThan(day / (10 * 60_000) + 20)
  for (const tree of trees.values()) tree.dispose()
})

/** The checks of one tree, with the digests that were sent to be compared. */
function checkOne(tree: Replica, cursor: () => number | null) {
  const time = createManualTime(0)
  const between = { slices: 0, does: (): void => {} }
  const id = treeIdSchema.parse(tree.root?.id)
  const asked: string[] = []
  const checks = createTreeChecks({
    runtime: {
      ...time,
      setTimer(callback, delayMs) {
        const cancel = time.setTimer(callback, delayMs)
        if (delayMs === 0 && ++between.slices === 1) between.does()
        return cancel
      },
    },
    trees: { get: () => tree, ids: () => [id] } as Partial<OpenTrees> as OpenTrees,
    readTree: async () => [],
    cursor,
    compare: (_treeId, _cursor, digest) => void asked.push(digest),
    distrust: () => {},
    report: () => {},
    onReplaced: () => {},
  })
  return { time, checks, asked, between, changed: () => checks.changed(id) }
}

it('tree checks set no timer while there is no cursor: for a local space, or without a connection', async () => {
  using tree = Replica.create('tree')
  let cursor: number | null = null
  const { time, checks, asked, changed } = checkOne(tree, () => cursor)
  changed()
  await time.pass(10 * 60_000)
  expect(time.waiting).toEqual([])
  checks.resumed()
  expect(time.waiting).toEqual([])
  cursor = 7
  checks.resumed()
  await time.pass(31_000)
  expect(asked).toEqual([tree.digest()])
})

it('a large tree is digested in slices, which start over when it changes in between', async () => {
  using tree = Replica.create('tree')
  for (let n = 0; n < 100; n++) tree.root!.newChild({ text: 'x'.repeat(20_000) })
  const { time, asked, between, changed } = checkOne(tree, () => 7)
  let before = ''
  between.does = () => {
    before = tree.digest()
    tree.root!.setProperty('edited', true)
    changed()
  }
  changed()
  await time.pass(5 * 60_000)
  expect(between.slices).toBeGreaterThan(5)
  expect(asked).not.toContain(before)
  expect(asked).toContain(tree.digest())
})
