import type { JsonValue, TreeOperation } from '@t69/protocol'

import type { TreeOpRow } from './space-schema.ts'

export function rowByOp(op: TreeOperation): TreeOpRow {
  const { clock, peerId, treeId, spaceId, targetId } = op
  if (op.key === undefined) {
    return { clock, peerId, treeId, spaceId, targetId, parentId: op.parentId, key: null, value: null }
  }
  const value = op.value === undefined ? null : JSON.stringify(op.value)
  return { clock, peerId, treeId, spaceId, targetId, parentId: null, key: op.key, value }
}

export function opByRow(row: TreeOpRow): TreeOperation {
  const { clock, peerId, treeId, spaceId, targetId } = row
  if (row.key === null) return { clock, peerId, treeId, spaceId, targetId, parentId: row.parentId }
  if (row.value === null) return { clock, peerId, treeId, spaceId, targetId, key: row.key }
  const value: JsonValue = JSON.parse(row.value)
  return { clock, peerId, treeId, spaceId, targetId, key: row.key, value }
}
