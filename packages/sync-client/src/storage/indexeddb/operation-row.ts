import type { JsonValue, PeerId, SpaceId, TreeId, TreeOperation, VertexId } from '@t69/protocol'

/** A row of t69's `treeOps` table. It may hold anything that t69 once wrote, so only the field names are certain. */
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
 * Converts a row to an operation that a replica can show. Returns undefined if it is none. No server may accept it all
 * the same (NaN as a value, an old key): `operationProblem` says so. As in t69, a row with a parent is a move.
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

/** Converts an operation to a row, as t69 writes it: a removal has an undefined `value`. */
export function rowFromOperation(op: TreeOperation): TreeOperationRow {
  const { clock, peerId, treeId, spaceId, targetId } = op
  const base = { clock, peerId, treeId, spaceId, targetId }
  return op.parentId === undefined
    ? { ...base, key: op.key, value: op.value }
    : { ...base, parentId: op.parentId }
}

/** Returns the primary key of an operation's row. */
export function rowKey(op: TreeOperation): [number, string, string, string] {
  return [op.clock, op.peerId, op.treeId, op.spaceId]
}
