import { SyncError } from '../errors.ts'
import type { PeerId, SpaceId, TreeId, VertexId } from '../ids.ts'
import { limits } from '../limits.ts'
import { moveProblem, type MoveOperation, type TreeOperation } from '../operation.ts'
import { batchVersion, type Batch } from './batch.ts'
import { ByteReader } from './byte-reader.ts'
import { isSet, kindCodes } from './column-codes.ts'
import { readSpaceId } from './id-code.ts'
import { invalidOperation } from './invalid-operation.ts'
import { readClocks, readIndexRuns, readKinds, readVertexRefs } from './read-columns.ts'
import { readIds, readKeys, type Names } from './read-dictionary.ts'
import { readValues } from './values-column.ts'

/**
 * Decodes a batch that `encodeBatch` encoded. Decoding validates: every operation passes `treeOperationSchema`. Throws
 * only `SyncError`s: `invalid_batch` (`at` is the index of an operation, if one is to blame) or `too_large`. Reserves
 * memory in proportion to the bytes that are there, whatever counts they claim. Takes the bytes as Socket.io gives them:
 * in an `ArrayBuffer` in a browser, and in a view in Node.
 *
 *     const { spaceId, ops } = decodeBatch(reply.batch)
 */
export function decodeBatch(batch: ArrayBuffer | ArrayBufferView): Batch {
  const bytes = bytesOf(batch)
  if (bytes.length > limits.maxBatchBytes) {
    throw new SyncError('too_large', `${bytes.length} bytes, more than ${limits.maxBatchBytes}`)
  }
  const reader = new ByteReader(bytes)
  const version = reader.readByte()
  if (version !== batchVersion) reader.fail(`version ${version} is not ${batchVersion}`)
  const spaceId = readSpaceId(reader)
  const count = readOpCount(reader)
  const dictionaries: Dictionaries = {
    peers: readIds(reader, 'peers', count),
    trees: readIds(reader, 'trees', count),
    vertices: readIds(reader, 'vertices', count * 2),
    keys: readKeys(reader, count),
  }
  const kinds = readKinds(reader, count, dictionaries.keys.names.length)
  const peers = readIndexRuns(reader, 'peers column', count, dictionaries.peers.names.length)
  const trees = readIndexRuns(reader, 'trees column', count, dictionaries.trees.names.length)
  const clocks = readClocks(reader, trees, dictionaries.trees.names.length)
  const { targets, parents } = readVertexRefs(reader, kinds, dictionaries.vertices.names.length)
  const columns: Columns = { kinds, peers, trees, clocks, targets, parents }
  refuseProblems(dictionaries, columns)
  return { spaceId, ops: readOps(reader, spaceId, dictionaries, columns) }
}

/** The bytes, without a copy. A buffer of another realm (a frame, a vm context) is no instance of this realm's class. */
function bytesOf(batch: unknown): Uint8Array {
  if (batch instanceof Uint8Array) return batch
  if (ArrayBuffer.isView(batch)) return new Uint8Array(batch.buffer, batch.byteOffset, batch.byteLength)
  if (isBuffer(batch)) return new Uint8Array(batch)
  throw new SyncError(
    'invalid_batch',
    `A batch is bytes, not ${batch === null ? 'null' : `a value of type ${typeof batch}`}`,
  )
}

const isBuffer = (value: unknown): value is ArrayBuffer =>
  Object.prototype.toString.call(value) === '[object ArrayBuffer]'

interface Dictionaries {
  readonly peers: Names<PeerId>
  readonly trees: Names<TreeId>
  readonly vertices: Names<VertexId>
  readonly keys: Names<string>
}

/** One number for each operation. Ids and keys are indices into their dictionary. */
interface Columns {
  readonly kinds: Int32Array
  readonly peers: Int32Array
  readonly trees: Int32Array
  readonly clocks: Float64Array
  readonly targets: Int32Array
  readonly parents: Int32Array
}

function readOpCount(reader: ByteReader): number {
  const count = reader.readVarint()
  if (count > limits.maxBatchOps) {
    throw new SyncError('too_large', `${count} operations, more than ${limits.maxBatchOps}`)
  }
  // Its kind and its target take at least a byte each. Everything else may be shared.
  if (count * 2 > reader.remaining) reader.fail(`the bytes cannot hold ${count} operations`)
  return count
}

/** Refuses the first operation that uses an invalid name. Every name is used. */
function refuseProblems({ peers, trees, vertices, keys }: Dictionaries, columns: Columns): void {
  if (peers.problems.size + trees.problems.size + vertices.problems.size + keys.problems.size === 0) return
  for (let at = 0; at < columns.kinds.length; at++) {
    const kind = entryAt(columns.kinds, at)
    const refuse = (field: string, { problems }: Names<string>, index: number): void => {
      const problem = problems.get(index)
      if (problem !== undefined) throw invalidOperation(at, `${field}: ${problem}`)
    }
    refuse('peerId', peers, entryAt(columns.peers, at))
    refuse('treeId', trees, entryAt(columns.trees, at))
    refuse('targetId', vertices, entryAt(columns.targets, at))
    if (kind === kindCodes.move) refuse('parentId', vertices, entryAt(columns.parents, at))
    if (kind >= kindCodes.set) refuse('key', keys, keyIndex(kind))
  }
}

function keyIndex(kind: number): number {
  return (kind - kindCodes.set) >> 1
}

function readOps(
  reader: ByteReader,
  spaceId: SpaceId,
  dictionaries: Dictionaries,
  columns: Columns,
): TreeOperation[] {
  const { peers, trees, vertices, keys } = dictionaries
  const values = readValues(reader, columns.kinds)
  let valuesUsed = 0
  const ops: TreeOperation[] = []
  for (let at = 0; at < columns.kinds.length; at++) {
    const clock = entryAt(columns.clocks, at)
    const peerId = entryAt(peers.names, entryAt(columns.peers, at))
    const treeId = entryAt(trees.names, entryAt(columns.trees, at))
    const targetId = entryAt(vertices.names, entryAt(columns.targets, at))
    const kind = entryAt(columns.kinds, at)
    if (kind < kindCodes.set) {
      const parentId =
        kind === kindCodes.rootMove ? null : entryAt(vertices.names, entryAt(columns.parents, at))
      const op: MoveOperation = { clock, peerId, treeId, spaceId, targetId, parentId }
      const problem = moveProblem(op)
      if (problem !== undefined) throw invalidOperation(at, `parentId: ${problem}`)
      ops.push(op)
      continue
    }
    const key = entryAt(keys.names, keyIndex(kind))
    ops.push(
      isSet(kind)
        ? { clock, peerId, treeId, spaceId, targetId, key, value: entryAt(values, valuesUsed++) }
        : { clock, peerId, treeId, spaceId, targetId, key },
    )
  }
  return ops
}

/** The entry at an index that was checked when its column was read. */
function entryAt<T>(column: { readonly [index: number]: T }, index: number): T {
  const entry = column[index]
  if (entry === undefined) throw new RangeError(`no entry ${index}`)
  return entry
}
