import { type SpaceId, SyncError, type TreeId, type TreeOperation, type TreeSnapshot } from '@t69/protocol'
import { Replica, toVertexOperation, type Vertex } from '@t69/replica'
import { LRUCache } from 'lru-cache'

import type { OpLog } from '../storage/op-log.ts'
import type { ServerRuntime } from './server-runtime.ts'
import type { Commit } from './space.ts'
import { type Budget, work } from './work.ts'

/** The replicas of trees that somebody reads or compares: kept while they are asked for. */
export interface TreeReplicas {
  /** Throws `not_found` when the log has no such tree, `too_large` when it is too long to be read at once. */
  read(tree: TreeOfLog, budget: Budget): TreeSnapshot
  /**
   * The digest of the tree as it was at a position of the log; a tree that is not there yet has one too. Throws
   * `too_large`.
   */
  digestAt(tree: TreeOfLog, cursor: number, budget: Budget): string
  /** Takes note of what was committed. */
  committed(commit: Commit): void
  forget(spaceId: SpaceId): void
  close(): void
}

export interface TreeOfLog {
  readonly spaceId: SpaceId
  readonly log: OpLog
  readonly treeId: TreeId
}

interface KeptReplica {
  readonly spaceId: SpaceId
  readonly replica: Replica
  /** How many operations the replica holds, with those that wait, and what their values take as JSON. */
  ops: number
  bytes: number
  /**
   * Committed and not merged. A backdated move takes a replica about as long as all that it changes, so moves
   * that come one by one would cost many times what they do together: they wait for whoever asks next.
   */
  waiting: TreeOperation[]
  /** The tree has not changed after this position. */
  cursor: number
  /** Of the replica as it is; undefined until somebody asks. */
  digest: string | undefined
}

export interface TreeReplicasOptions {
  readonly runtime: ServerRuntime
  /** An operation costs about 0.6 kB in a replica. */
  readonly maxOps: number
  /** In one tree: reading takes some 6 µs for each, and nobody else is served meanwhile. */
  readonly maxTreeOps: number
  /** In the values of one tree, as JSON: all of it is in memory while it is read. */
  readonly maxTreeBytes: number
  readonly idleMs: number
}

/** What an operation takes in a replica, besides its value. */
const bytesPerOp = 600

export function createTreeReplicas({
  runtime,
  maxOps,
  maxTreeOps,
  maxTreeBytes,
  idleMs,
}: TreeReplicasOptions): TreeReplicas {
  const kept = new LRUCache<string, KeptReplica>({
    maxSize: maxOps,
    sizeCalculation: ({ ops, bytes }) => Math.max(1, ops + Math.ceil(bytes / bytesPerOp)),
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

  function check({ log, treeId }: TreeOfLog, budget: Budget): number {
    const ops = log.countTree(treeId, maxTreeOps + 1)
    if (ops > maxTreeOps) {
      throw new SyncError('too_large', `the tree has more than ${maxTreeOps} operations: read the log`)
    }
    budget.spendOperations(ops)
    return ops
  }

  function readLog({ log, treeId }: TreeOfLog, budget: Budget, through = log.head) {
    const read = log.readTree(treeId, { through, maxBytes: maxTreeBytes })
    budget.spendOperations(work.operations(0, read.bytes))
    checkBytes(read.bytes)
    return read
  }

  function checkBytes(bytes: number): void {
    if (bytes <= maxTreeBytes) return
    throw new SyncError(
      'too_large',
      `the values of the tree take more than ${maxTreeBytes} bytes: read the log`,
    )
  }

  /** A replica of the tree at the log's head, kept if there is room. Undefined for a tree that is not there. */
  function replicaOf(tree: TreeOfLog, budget: Budget): KeptReplica | undefined {
    const { spaceId, log, treeId } = tree
    const key = keyOf(spaceId, treeId)
    const found = kept.get(key)
    if (found !== undefined) {
      if (found.waiting.length > 0 || found.digest === undefined) check(tree, budget)
      if (found.bytes > maxTreeBytes) kept.delete(key)
      checkBytes(found.bytes)
      const { waiting } = found
      found.waiting = []
      try {
        found.replica.merge(waiting.map(toVertexOperation))
      } catch (error) {
        // A bug: whoever asks next gets a replica from the log.
        kept.delete(key)
        throw error
      }
      return found
    }
    if (check(tree, budget) === 0) return undefined
    const { ops, bytes } = readLog(tree, budget)
    const replica = new Replica({ treeId, ops: ops.map(toVertexOperation) })
    const entry = {
      spaceId,
      replica,
      ops: ops.length,
      bytes,
      waiting: [],
      cursor: log.head,
      digest: undefined,
    }
    kept.set(key, entry)
    sweepLater()
    return entry
  }

  const digestOf = (entry: KeptReplica): string => (entry.digest ??= entry.replica.digest())

  return {
    read: (tree, budget) => {
      const { spaceId, log, treeId } = tree
      budget.checkOperations()
      const entry = replicaOf(tree, budget)
      if (entry === undefined) throw new SyncError('not_found', 'there is no such tree in this space')
      budget.spendOperations(entry.replica.getAllVertices().length)
      const vertices = verticesOf(entry.replica)
      return { spaceId, treeId, cursor: log.head, digest: digestOf(entry), vertices }
    },

    digestAt: (tree, cursor, budget) => {
      budget.checkOperations()
      const { spaceId, log, treeId } = tree
      const found = kept.get(keyOf(spaceId, treeId))
      if (found === undefined ? cursor === log.head : found.cursor <= cursor) {
        const entry = replicaOf(tree, budget)
        if (entry !== undefined) return digestOf(entry)
      }
      // The tree has gone on since, or is not there: a replica of what it was, for this once.
      check(tree, budget)
      const { ops } = readLog(tree, budget, cursor)
      using replica = new Replica({ treeId, ops: ops.map(toVertexOperation) })
      return replica.digest()
    },

    committed: ({ spaceId, ops, cursor }) => {
      if (kept.size === 0) return
      for (const [treeId, added] of Map.groupBy(ops, (op: TreeOperation) => op.treeId)) {
        const key = keyOf(spaceId, treeId)
        const found = kept.peek(key)
        if (found === undefined) continue
        for (const op of added) {
          found.waiting.push(op)
          if (op.value !== undefined) found.bytes += JSON.stringify(op.value).length
        }
        found.ops += added.length
        found.cursor = cursor
        found.digest = undefined
        // Only its size is new: that others write to a tree does not make it one that is read.
        kept.set(key, found, { noUpdateTTL: true })
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
