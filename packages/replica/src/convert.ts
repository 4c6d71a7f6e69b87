import type { PeerId, SpaceId, TreeId, TreeOperation, VertexId } from '@t69/protocol'
import type { VertexOperation } from 'reptree'

/** Converts an operation to RepTree's form. A removal keeps its key and has `value: undefined`. */
export function toVertexOperation(op: TreeOperation): VertexOperation {
  const id = { counter: op.clock, peerId: op.peerId }
  return op.parentId !== undefined
    ? { id, targetId: op.targetId, parentId: op.parentId }
    : { id, targetId: op.targetId, key: op.key, value: op.value, transient: false }
}

/**
 * Converts an operation to the form of the wire. Throws a `TypeError` if it is transient. Brands the ids without
 * checking them: parse operations that come from elsewhere.
 *
 *     tree.onLocalOp((op) => store(toTreeOperation(op, { spaceId, treeId })))
 */
export function toTreeOperation(
  op: VertexOperation,
  { spaceId, treeId }: { spaceId: SpaceId; treeId: TreeId },
): TreeOperation {
  const base = {
    clock: op.id.counter,
    peerId: op.id.peerId as PeerId,
    treeId,
    spaceId,
    targetId: op.targetId as VertexId,
  }
  if ('parentId' in op) return { ...base, parentId: op.parentId as VertexId | null }
  if (op.transient)
    throw new TypeError(`Operation ${op.id.counter}@${op.id.peerId} is transient: it is not stored`)
  return op.value === undefined ? { ...base, key: op.key } : { ...base, key: op.key, value: op.value }
}
