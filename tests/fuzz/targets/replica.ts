import { decodeBatch, encodeBatch, spaceIdSchema } from '@t69/protocol'
import { Replica, toVertexOperation, type VertexOperation } from '@t69/replica'

import type { Random } from '../../lib/random.ts'
import { createRandom } from '../../lib/random.ts'
import { drawOps } from '../draw-ops.ts'
import { createDraw } from '../draw.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { mutateBytes } from '../mutate-bytes.ts'

const spaceId = spaceIdSchema.parse('a1'.repeat(16))
const maxOps = 120

/**
 * Whatever valid operations arrive, no replica throws. All orders and portions lead to the same state as merging them at
 * once, in order.
 */
export function replicaTarget(): FuzzTarget {
  return {
    seeds: (random) =>
      Array.from({ length: 200 }, (_, index) =>
        Uint8Array.from({ length: 7 * (1 + (index % maxOps)) }, () => random.below(256)),
      ),
    mutate: mutateBytes,
    run: (input) => {
      const draw = createDraw(input)
      const random = createRandom(draw.below(65_536))
      const { ops } = decodeBatch(encodeBatch({ spaceId, ops: drawOps(draw, spaceId, maxOps) }))
      const outcomes = ['tree', 'other'].map((treeId) => {
        const own = ops.filter((op) => op.treeId === treeId).map(toVertexOperation)
        return own.length === 0 ? '' : agreement(treeId, own, random)
      })
      return outcomes.join(' and ')
    },
  }
}

function agreement(treeId: string, ops: readonly VertexOperation[], random: Random): string {
  const sorted = ops.toSorted((a, b) => a.id.counter - b.id.counter || (a.id.peerId < b.id.peerId ? -1 : 1))
  using expected = new Replica({ treeId, ops: sorted })
  const digest = expected.digest()
  for (const order of [ops, sorted.toReversed(), shuffled(ops, random)]) {
    using replica = new Replica({ treeId })
    for (let at = 0; at < order.length;) {
      const end = at + 1 + random.below(random.chance(0.3) ? order.length : 4)
      replica.merge(order.slice(at, end))
      // Repeat earlier operations.
      if (random.chance(0.2)) replica.merge(order.slice(0, random.below(end)))
      at = end
    }
    if (replica.digest() !== digest) throw new Error(`two orders of ${ops.length} operations differ`)
    if (replica.getAllOps().length !== ops.length)
      throw new Error('an operation was forgotten, or came twice')
    if (!replica.compareStructure(expected)) throw new Error('equal digests of unequal trees')
    replica.flushEvents()
  }
  const shown = expected.getAllVertices().length
  return `${Math.ceil(Math.log2(shown + 1))} of ${Math.ceil(Math.log2(ops.length + 1))}`
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
