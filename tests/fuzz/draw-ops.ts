import { operationProblem, opKey, type SpaceId, type TreeOperation } from '@t69/protocol'

import type { Draw } from './draw.ts'

const vertices = ['0', 'tree', 'other', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '1']
const trees: readonly string[] = ['tree', 'tree', 'tree', 'other']
const values: readonly unknown[] = [1, null, 'x', '', [1, [2]], { a: { b: [] } }, 'é😀', 0, true, false]

/**
 * Draws valid operations on few ids, so that they interact: false clocks, roots that come twice or never, cycles, moves
 * into deleted vertices, properties of unknown vertices. Each operation id comes once, as in a log.
 */
export function drawOps(draw: Draw, spaceId: SpaceId, atMost: number, treeIds = trees): TreeOperation[] {
  const ops = new Map<string, TreeOperation>()
  for (let left = atMost; left > 0 && draw.left > 0; left--) {
    const base = {
      clock: 1 + draw.below(40),
      peerId: draw.pick(['1', '2', 'a', 'B', 'b', '10', 'x-1', 'x_1']),
      treeId: draw.pick(treeIds),
      spaceId,
      targetId: draw.pick(vertices),
    }
    const op = withKind(draw, base) as TreeOperation
    if (operationProblem(op) === undefined && !ops.has(opKey(op))) ops.set(opKey(op), op)
  }
  return [...ops.values()]
}

function withKind(draw: Draw, base: { readonly treeId: string }): object {
  switch (draw.below(6)) {
    case 0:
      return { ...base, targetId: draw.pick([base.treeId, '0']), parentId: null }
    case 1:
      return { ...base, key: draw.pick(['_n', 'text', 'a', '名']) }
    case 2:
      return { ...base, key: draw.pick(['_n', 'text', 'a', '名']), value: draw.pick(values) }
    default:
      return { ...base, parentId: draw.pick(vertices) }
  }
}
