import type { TreeOperation } from '@t69/protocol'
import { expect, it } from 'vitest'

import { op, spaceId } from '../machine/testing/machine-world.ts'
import { createOpenTrees } from './open-trees.ts'

it('an opened tree shows 130,000 operations that arrived while it was being read', async () => {
  const read = Promise.withResolvers<TreeOperation[]>()
  const trees = createOpenTrees({
    spaceId,
    readTree: () => read.promise,
    onEdit: () => {},
    onTransient: () => {},
    onFilled: () => {},
    stored: () => Promise.resolve(),
  })
  const first = op(1)
  const opening = trees.open(first.treeId)
  // More operations than a function call takes arguments.
  trees.show(Array.from({ length: 130_000 }, (_, index) => op(index + 2)))
  read.resolve([first])
  expect((await opening).getAllOps()).toHaveLength(130_001)
  trees.dispose()
})
