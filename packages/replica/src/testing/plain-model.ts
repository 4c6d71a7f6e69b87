import type { MoveVertex, SetVertexProperty, VertexOperation } from 'reptree'

/** The meaning of a set of operations, in the plainest code. Tests compare the replica with it. */
export interface Model {
  /** Parent of each vertex that exists. */
  readonly parents: ReadonlyMap<string, string | null>
  /** Children in order. */
  readonly children: ReadonlyMap<string | null, readonly string[]>
  /** Values by key, for each vertex that exists. */
  readonly properties: ReadonlyMap<string, ReadonlyMap<string, unknown>>
}

export function modelOf(ops: readonly VertexOperation[]): Model {
  const inOrder = [...new Map(ops.map((op) => [`${op.id.counter}@${op.id.peerId}`, op])).values()].sort(
    (a, b) =>
      a.id.counter === b.id.counter ? (a.id.peerId < b.id.peerId ? -1 : 1) : a.id.counter - b.id.counter,
  )
  const parents = new Map<string, string | null>([['0', null]])
  const placedBy = new Map<string, number>([['0', -1]])
  const isAtOrAbove = (above: string, id: string): boolean => {
    for (let at: string | null | undefined = id; typeof at === 'string'; at = parents.get(at)) {
      if (at === above) return true
    }
    return false
  }
  const moves = inOrder.filter((op): op is MoveVertex => 'parentId' in op)
  moves.forEach(({ targetId, parentId }, index) => {
    if (targetId === '0' || parents.get(targetId) === parentId) return
    if (parentId !== null && (!parents.has(parentId) || isAtOrAbove(targetId, parentId))) return
    parents.set(targetId, parentId)
    placedBy.set(targetId, index)
  })
  const placed = [...parents.keys()].sort((a, b) => (placedBy.get(a) ?? 0) - (placedBy.get(b) ?? 0))
  const children = Map.groupBy(placed, (id) => parents.get(id) ?? null)
  const properties = new Map(placed.map((id) => [id, new Map<string, unknown>()]))
  for (const op of inOrder.filter((other): other is SetVertexProperty => 'key' in other)) {
    const ofVertex = properties.get(op.targetId)
    if (op.value === undefined) ofVertex?.delete(op.key)
    else ofVertex?.set(op.key, op.value)
  }
  return { parents, children, properties }
}
