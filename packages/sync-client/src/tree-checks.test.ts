import { treeIdSchema } from '@t69/protocol'
import { Replica } from '@t69/replica'
import { expect, it } from 'vitest'

import type { OpenTrees } from './open-trees.ts'
import { createTreeChecks } from './tree-checks.ts'

it('[DV2] asks seldom about a tree of which the log says nothing, and about the others meanwhile', () => {
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
  // Every ten minutes: as seldom as if it matched and changed.
  expect(asked.length).toBeLessThan(day / (10 * 60_000) + 20)
  for (const tree of trees.values()) tree.dispose()
})
