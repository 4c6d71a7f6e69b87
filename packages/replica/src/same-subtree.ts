import type { RepTree } from 'reptree'

import { canonicalJson } from './canonical-json.ts'

/** Whether two trees show the same vertices with the same properties below `vertexId`. Order is no matter. */
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
