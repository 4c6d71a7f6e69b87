import { type SpaceId, SyncError, type TreeId, type TreeOperation, type TreeSnapshot } from '@t69/protocol'
import { Replica, toVertexOperation, type Vertex } from '@t69/replica'
import { LRUCache } from 'lru-cache'

import type { OpLog } from '../storage/op-log.ts'
import type { Logger } from './logger.ts'
import type { ServerRuntime } from './server-runtime.ts'
import type { Commit } from './space.ts'

/** The replicas of trees that somebody reads or compares: kept current while they are asked for. */
export interface TreeReplicas {
  /** Throws `not_found` when the log has no such tree. */
  read(spaceId: SpaceId, log: OpLog, treeId: TreeId): TreeSnapshot
  /** The digest of the tree as it was at a position of the log; a tree that is not there yet has one too. */
  digestAt(spaceId: SpaceId, log: OpLog, treeId: TreeId, cursor: number): string
  /** Merges what was committed into the replicas that are kept. */
  committed(commit: Commit): void
  forget(spaceId: SpaceId): void
  close(): void
}

interface KeptReplica {
  readonly spaceId: SpaceId
  readonly replica: Replica
  ops: number
  /** The tree has not changed after this position. */
  cursor: number
  /** Of the replica as it is; undefined until somebody asks. */
  digest: string | undefined
}

export interface TreeReplicasOptions {
  readonly runtime: ServerRuntime
  readonly logger: Logger
  /** An operation costs about 0.6 kB in a replica. */
  readonly maxOps: number
  readonly idleMs: number
}

export function createTreeReplicas({ runtime, logger, maxOps, idleMs }: TreeReplicasOptions): TreeReplicas {
  const kept = new LRUCache<string, KeptReplica>({
    maxSize: maxOps,
    sizeCalculation: ({ ops }) => Math.max(ops, 1),
    ttl: idleMs,
    ttlResolution: 0,
    perf: runtime,
    updateAgeOnGet: true,
    noDeleteOnStaleGet: false,
    dispose: ({ replica }) => replica.dispose(),
  })
  let cancelSweep: (() => void) | undefined

  // The cache forgets what is stale only when it is asked.
  function sweepLater(): void {
    cancelSweep ??= runtime.setTimer(() => {
      cancelSweep = undefined
      kept.purgeStale()
      if (kept.size > 0) sweepLater()
    }, idleMs)
  }

  /** Shows a replica of the tree at the log's head, and keeps it if there is room. */
  function withReplica<Result>(
    { spaceId, log, treeId }: { spaceId: SpaceId; log: OpLog; treeId: TreeId },
    show: (entry: KeptReplica) => Result,
  ): Result {
    const key = keyOf(spaceId, treeId)
    const found = kept.get(key)
    if (found !== undefined) return show(found)
    const ops = log.readTree(treeId)
    if (ops.length === 0) throw new SyncError('not_found', 'there is no such tree in this space')
    const replica = new Replica({ treeId, ops: ops.map(toVertexOperation) })
    const entry: KeptReplica = { spaceId, replica, ops: ops.length, cursor: log.head, digest: undefined }
    kept.set(key, entry)
    sweepLater()
    try {
      return show(entry)
    } finally {
      // A tree larger than all that may be kept is read and let go.
      if (!kept.has(key)) replica.dispose()
    }
  }

  const digestOf = (entry: KeptReplica): string => (entry.digest ??= entry.replica.digest())

  return {
    read: (spaceId, log, treeId) =>
      withReplica({ spaceId, log, treeId }, (entry) => ({
        spaceId,
        treeId,
        cursor: log.head,
        digest: digestOf(entry),
        vertices: verticesOf(entry.replica),
      })),

    digestAt: (spaceId, log, treeId, cursor) => {
      const found = kept.get(keyOf(spaceId, treeId))
      if (found !== undefined && found.cursor <= cursor) return digestOf(found)
      if (found === undefined && cursor === log.head && log.maxClock(treeId) > 0) {
        return withReplica({ spaceId, log, treeId }, digestOf)
      }
      // The tree has gone on since, or is not there: a replica of what it was, for this once.
      using replica = new Replica({ treeId, ops: log.readTree(treeId, cursor).map(toVertexOperation) })
      return replica.digest()
    },

    committed: ({ spaceId, ops, cursor }) => {
      if (kept.size === 0) return
      for (const [treeId, added] of Map.groupBy(ops, (op: TreeOperation) => op.treeId)) {
        const key = keyOf(spaceId, treeId)
        const found = kept.peek(key)
        if (found === undefined) continue
        try {
          found.replica.merge(added.map(toVertexOperation))
          found.ops += added.length
          found.cursor = cursor
          found.digest = undefined
          // Only its size is new: that others write to a tree does not make it one that is read.
          kept.set(key, found, { noUpdateTTL: true })
        } catch (error) {
          logger.error({ err: error, spaceId, treeId }, 'a replica failed to merge and was let go')
          kept.delete(key)
        }
      }
    },

    forget: (spaceId) => {
      for (const [key, { spaceId: of }] of kept.entries()) if (of === spaceId) kept.delete(key)
    },
    close: () => {
      cancelSweep?.()
      cancelSweep = undefined
      kept.clear()
    },
  }
}

function keyOf(spaceId: SpaceId, treeId: TreeId): string {
  return `${spaceId}/${treeId}`
}

/** Depth first, the root first, siblings in the replica's order. What was deleted is not below the root. */
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
    stack.push(...vertex.children.toReversed())
  }
  return vertices
}
