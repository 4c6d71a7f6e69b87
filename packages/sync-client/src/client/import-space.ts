import {
  operationProblem,
  peerIdSchema,
  randomHexId,
  SyncError,
  treeIdSchema,
  vertexIdSchema,
  type SpaceId,
  type TreeId,
  type TreeOperation,
  type VertexId,
} from '@t69/protocol'
import { Replica, toTreeOperation } from '@t69/replica'

import type { ImportedTree, ImportedVertex } from '../api.ts'
import { unlessAborted } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'

/**
 * Operations stored in one transaction. The browser copies them in one task, which must not hold up a frame; more would
 * be little faster.
 */
const opsPerTransaction = 500

/**
 * Stores trees that no replica has made yet, as if they were written now, by a peer for each. The space has no record
 * yet, so that one that is interrupted is not listed. Throws `invalid_request` for what no tree can hold, and for a second tree
 * of the same id.
 */
export async function importTrees(
  storage: Pick<ClientStorage, 'appendLocal'>,
  spaceId: SpaceId,
  trees: AsyncIterable<ImportedTree> | Iterable<ImportedTree>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stored = new Set<TreeId>()
  for await (const tree of signal === undefined ? trees : untilAborted(trees, signal)) {
    const treeId = parseId(treeIdSchema, tree.id ?? spaceId)
    if (stored.has(treeId)) throw new SyncError('invalid_request', `${treeId}: a second tree with this id`)
    stored.add(treeId)
    let waiting: TreeOperation[] = []
    const store = async (): Promise<void> => {
      signal?.throwIfAborted()
      await storage.appendLocal(spaceId, waiting)
      waiting = []
    }
    for (const op of opsOf(tree, { spaceId, treeId })) {
      waiting.push(op)
      if (waiting.length === opsPerTransaction) await store()
    }
    await store()
  }
}

/** The same items. A wait for the next one ends when `signal` aborts. */
async function* untilAborted<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  let isAtEnd = false
  try {
    for (;;) {
      const next = await unlessAborted(Promise.resolve(iterator.next()), signal)
      isAtEnd = next.done === true
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // Not waited for: one that stalls hears of it only once it goes on.
    if (!isAtEnd) void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

function* opsOf(
  tree: ImportedTree,
  place: { readonly spaceId: SpaceId; readonly treeId: TreeId },
): Generator<TreeOperation> {
  const { treeId } = place
  const peerId = peerIdSchema.parse(randomHexId())
  const [root, ...below] = tree.vertices
  if (root === undefined) throw new SyncError('invalid_request', 'A tree has a root')
  let clock = 0
  const replica = Replica.create(treeId, { peerId })
  for (const op of replica.popLocalOps()) {
    clock = Math.max(clock, op.id.counter)
    yield toTreeOperation(op, place)
  }
  replica.dispose()
  const idOf = (id: string): VertexId => parseId(vertexIdSchema, id === root.id ? treeId : id)
  const known = new Set<string>([root.id])
  const checked = (op: TreeOperation): TreeOperation => {
    const problem = operationProblem(op)
    if (problem !== undefined) throw new SyncError('invalid_request', `${op.targetId}: ${problem}`)
    return op
  }
  function* properties(vertex: ImportedVertex, targetId: VertexId): Generator<TreeOperation> {
    for (const [key, value] of Object.entries(vertex.properties))
      yield checked({ ...place, peerId, clock: ++clock, targetId, key, value })
  }
  yield* properties(root, idOf(root.id))
  for (const vertex of below) {
    const targetId = idOf(vertex.id)
    if (vertex.parentId === null || !known.has(vertex.parentId) || known.has(vertex.id))
      throw new SyncError('invalid_request', `${vertex.id}: its parent does not come before it`)
    known.add(vertex.id)
    yield checked({ ...place, peerId, clock: ++clock, targetId, parentId: idOf(vertex.parentId) })
    yield* properties(vertex, targetId)
  }
}

function parseId<T>(schema: { safeParse(id: string): { data?: T } }, id: string): T {
  const { data } = schema.safeParse(id)
  if (data === undefined) throw new SyncError('invalid_request', `${id} is not an id`)
  return data
}
