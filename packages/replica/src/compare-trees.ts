import type { RepTree } from 'reptree'

import { canonicalJson } from './canonical-json.ts'
import { compareOpIds } from './op-order.ts'

/** Whether two trees know the same moves. */
export function sameMoves(a: RepTree, b: RepTree): boolean {
  const [moves, others] = [a.getMoveOps(), b.getMoveOps()]
  return (
    moves.length === others.length &&
    moves.every((op, index) => {
      const other = others[index]
      return other !== undefined && compareOpIds(op.id, other.id) === 0
    })
  )
}

/** Whether two trees show the same vertices with the same properties at and below `vertexId`, in any order. */
export function sameSubtree(vertexId: string, a: RepTree, b: RepTree): boolean {
  const stack = [vertexId]
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    const children = a.getChildrenIds(id)
    const others = new Set(b.getChildrenIds(id))
    if (children.length !== others.size || !children.every((child) => others.has(child))) return false
    if (propertiesText(a, id) !== propertiesText(b, id)) return false
    for (const child of children) stack.push(child)
  }
  return true
}

function propertiesText(tree: RepTree, vertexId: string): string {
  const properties = tree.getVertexProperties(vertexId).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  return properties.map(({ key, value }) => `${JSON.stringify(key)}:${canonicalJson(value)}`).join()
}
