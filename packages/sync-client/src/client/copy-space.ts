import {
  isMove,
  treeIdSchema,
  vertexIdSchema,
  type SpaceId,
  type TreeOperation,
  type VertexId,
} from '@t69/protocol'

import type { ClientStorage } from '../storage/index.ts'

/** Operations stored in one transaction. An edit elsewhere waits for one of them at most. */
const opsPerTransaction = 5_000

/**
 * Copies every stored operation of a space into another one, which has no record yet: a copy that is interrupted is not
 * listed, and the original is only read. The root of the space's tree, which has the id of the space, gets the new id.
 */
export async function copyOps(storage: ClientStorage, from: SpaceId, to: SpaceId): Promise<void> {
  for (const treeId of await storage.listTrees(from)) {
    const ops = await storage.readTree(from, treeId)
    for (let start = 0; start < ops.length; start += opsPerTransaction) {
      const part = ops.slice(start, start + opsPerTransaction).map((op) => moved(op, from, to))
      await storage.appendLocal(to, part)
    }
  }
}

function moved(op: TreeOperation, from: SpaceId, to: SpaceId): TreeOperation {
  if (!isId(op.treeId, from)) return { ...op, spaceId: to }
  const vertex = (id: VertexId): VertexId => (isId(id, from) ? vertexIdSchema.parse(to) : id)
  const ids = { spaceId: to, treeId: treeIdSchema.parse(to), targetId: vertex(op.targetId) }
  if (!isMove(op)) return { ...op, ...ids }
  return { ...op, ...ids, parentId: op.parentId === null ? null : vertex(op.parentId) }
}

const isId = (id: string, other: string): boolean => id === other
