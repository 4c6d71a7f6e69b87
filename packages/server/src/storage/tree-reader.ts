import {
  type LogId,
  type SpaceId,
  SyncError,
  type TreeId,
  type TreeSnapshot,
  type UserId,
} from '@t69/protocol'
import { Replica, toVertexOperation, type Vertex } from '@t69/replica'

import type { OpLog } from '../logs/op-log.ts'

/** A question about a tree at a position of the log: its digest, or all of it, by default as it is now. */
export type TreeQuestion = {
  readonly spaceId: SpaceId
  readonly treeId: TreeId
  /** For whom it is read. */
  readonly payer?: UserId | undefined
  /** Bytes that its values may take as JSON text. All of them are in memory while the tree is read. */
  readonly maxBytes: number
} & (
  | { readonly kind: 'digest'; readonly logId: LogId; readonly cursor: number }
  | { readonly kind: 'snapshot'; readonly cursor?: number | undefined }
)

export interface TreeReading {
  /** 32 hex digits, or the JSON text of a `TreeSnapshot`. Null when the values exceed `maxBytes`. */
  readonly text: string | null
  /** Bytes of the values that were read. */
  readonly bytes: number
}

/**
 * Answers a question. Rejects with `SyncError`: `not_found` for a snapshot of a tree that has no operations by then,
 * `invalid_request` for one after the head, `not_joined` when the log has another id, `too_large`, `storage_failed`, `unavailable`.
 */
export type TreeReader = (question: TreeQuestion) => Promise<TreeReading>

/**
 * Answers a question with a replica that is built for it: about 6 µs and 0.6 kB an operation. Blocks its thread
 * meanwhile. Throws what a `TreeReader` rejects with.
 */
export function readTree(log: OpLog, question: TreeQuestion): TreeReading {
  const { spaceId, treeId, maxBytes } = question
  if (question.kind === 'digest' && question.logId !== log.logId) {
    throw new SyncError('not_joined', 'the log has another id: join again')
  }
  const { cursor = log.head } = question
  if (question.kind === 'snapshot' && cursor > log.head) {
    throw new SyncError('invalid_request', `the log ends at ${log.head}`, { at: 'at' })
  }
  const { ops, bytes } = log.readTree(treeId, { through: cursor, maxBytes })
  if (bytes > maxBytes) return { text: null, bytes }
  using replica = new Replica({ treeId, ops: ops.map(toVertexOperation) })
  const digest = replica.digest()
  if (question.kind === 'digest') return { text: digest, bytes }
  if (ops.length === 0) throw new SyncError('not_found', 'there is no such tree in this space')
  const vertices = verticesOf(replica)
  const snapshot: TreeSnapshot = { spaceId, treeId, cursor, commit: commitAt(log, cursor), digest, vertices }
  return { text: JSON.stringify(snapshot), bytes }
}

function commitAt(log: OpLog, cursor: number): TreeSnapshot['commit'] {
  const { userId, at } = log.commits({ after: cursor - 1, cursor }, 1)[0] ?? { userId: null, at: 0 }
  return { userId, at }
}

/** All vertices below the root, depth first, siblings in the replica's order. Deleted ones are not below the root. */
function verticesOf(replica: Replica): TreeSnapshot['vertices'] {
  const vertices: TreeSnapshot['vertices'] = []
  const stack: Vertex[] = replica.root === undefined ? [] : [replica.root]
  for (let vertex = stack.pop(); vertex !== undefined; vertex = stack.pop()) {
    const properties = Object.entries(vertex.getProperties()).filter(([, value]) => value !== undefined)
    vertices.push({
      id: vertex.id,
      parentId: vertex.parentId,
      properties: Object.fromEntries(properties) as TreeSnapshot['vertices'][number]['properties'],
    })
    for (const child of vertex.children.toReversed()) stack.push(child)
  }
  return vertices
}
