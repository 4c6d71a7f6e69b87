import type { SpaceId, TreeId, TreeOperation } from '@t69/protocol'
import type { VertexOperation } from 'reptree'

/** RepTree's form of an operation. A removal keeps its key and has `value: undefined`. */
export function toVertexOperation(_op: TreeOperation): VertexOperation {
  throw new Error('not yet')
}

/** The wire's form of an operation that is not transient. Brands the ids; `parseX` them where they are not ours. */
export function toTreeOperation(
  _op: VertexOperation,
  _in: { spaceId: SpaceId; treeId: TreeId },
): TreeOperation {
  throw new Error('not yet')
}
