import type { JsonValue, PeerId, SpaceId, TreeId, TreeOperation, VertexId } from '@t69/protocol'

/** An operation as t69's `treeOps` table holds it: whatever t69 once wrote, so nothing is certain but the names. */
export interface TreeOperationRow {
  clock: number
  peerId: string
  treeId: string
  spaceId: string
  targetId: string
  parentId?: string | null
  key?: string
  value?: unknown
}

/**
 * The row as an operation that a replica can show, or undefined when it is none. It may still be one
 * that no server takes (NaN for a value, an old key): `operationProblem` tells. As in t69, whatever has
 * a parent is a move.
 */
export function operationFromRow(row: TreeOperationRow): TreeOperation | undefined {
  const { clock, peerId, treeId, spaceId, targetId, parentId, key, value } = row
  if (!Number.isSafeInteger(clock)) return undefined
  for (const id of [peerId, treeId, spaceId, targetId]) if (typeof id !== 'string') return undefined
  const base = {
    clock,
    peerId: peerId as PeerId,
    treeId: treeId as TreeId,
    spaceId: spaceId as SpaceId,
    targetId: targetId as VertexId,
  }
  if (parentId !== undefined) {
    if (parentId !== null && typeof parentId !== 'string') return undefined
    return { ...base, parentId: parentId as VertexId | null }
  }
  if (typeof key !== 'string') return undefined
  return value === undefined ? { ...base, key } : { ...base, key, value: value as JsonValue }
}

/** The row as t69 writes it: a removal has a `value` that is undefined. */
export function rowFromOperation(op: TreeOperation): TreeOperationRow {
  const { clock, peerId, treeId, spaceId, targetId } = op
  const base = { clock, peerId, treeId, spaceId, targetId }
  return op.parentId === undefined
    ? { ...base, key: op.key, value: op.value }
    : { ...base, parentId: op.parentId }
}

/** The row's primary key. */
export function rowKey(op: TreeOperation): [number, string, string, string] {
  return [op.clock, op.peerId, op.treeId, op.spaceId]
}
