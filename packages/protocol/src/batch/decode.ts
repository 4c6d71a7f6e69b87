import { SyncError } from '../errors.ts'
import type { PeerId, SpaceId, TreeId, VertexId } from '../ids.ts'
import { limits } from '../limits.ts'
import { moveProblem, type MoveOperation, type TreeOperation } from '../operation.ts'
import { batchVersion, type Batch } from './batch.ts'
import { ByteReader } from './byte-reader.ts'
import { isSet, kindCodes } from './column-codes.ts'
import { readId, readSpaceId } from './id-code.ts'
import { invalidOperation } from './invalid-operation.ts'
import { readClocks, readIndexRuns, readKinds, readVertexRefs } from './read-columns.ts'
import { readDictionary, readKey } from './read-dictionary.ts'
import { readValues } from './values-column.ts'

/**
 * The batch that `encodeBatch` made these bytes of. Decoding is validation: each operation that comes out
 * passes `treeOperationSchema`. Throws `SyncError` and nothing else: `invalid_batch` (`at` is the index of
 * an operation where one is to blame) or `too_large`. Reserves memory in proportion to the bytes that are there.
 */
export function decodeBatch(bytes: Uint8Array): Batch {
  if (bytes.length > limits.maxBatchBytes) {
    throw new SyncError('too_large', `${bytes.length} bytes, more than ${limits.maxBatchBytes}`)
  }
  const reader = new ByteReader(bytes)
  const version = reader.readByte()
  if (version !== batchVersion) reader.fail(`version ${version} is not ${batchVersion}`)
  const spaceId = readSpaceId(reader)
  const count = readOpCount(reader)
  const names: Names = {
    spaceId,
    peers: readDictionary<PeerId>(reader, 'peers', count, readId),
    trees: readDictionary<TreeId>(reader, 'trees', count, readId),
    vertices: readDictionary<VertexId>(reader, 'vertices', count * 2, readId),
    keys: readDictionary<string>(reader, 'keys', count, readKey),
  }
  const kinds = readKinds(reader, count, names.keys.length)
  const peers = readIndexRuns(reader, 'peers column', count, names.peers.length)
  const trees = readIndexRuns(reader, 'trees column', count, names.trees.length)
  const clocks = readClocks(reader, trees, names.trees.length)
  const { targets, parents } = readVertexRefs(reader, kinds, names.vertices.length)
  return { spaceId, ops: readOps(reader, names, { kinds, peers, trees, clocks, targets, parents }) }
}

interface Names {
  readonly spaceId: SpaceId
  readonly peers: readonly PeerId[]
  readonly trees: readonly TreeId[]
  readonly vertices: readonly VertexId[]
  readonly keys: readonly string[]
}

/** One number for each operation. Names are indices into their dictionary. */
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
  // Its kind and its target are a byte each at least; everything else may be shared.
  if (count * 2 > reader.remaining) reader.fail(`the bytes cannot hold ${count} operations`)
  return count
}

function readOps(reader: ByteReader, names: Names, columns: Columns): TreeOperation[] {
  const { spaceId } = names
  const values = readValues(reader, columns.kinds)
  let valuesUsed = 0
  const ops: TreeOperation[] = []
  for (let at = 0; at < columns.kinds.length; at++) {
    const clock = entryAt(columns.clocks, at)
    const peerId = entryAt(names.peers, entryAt(columns.peers, at))
    const treeId = entryAt(names.trees, entryAt(columns.trees, at))
    const targetId = entryAt(names.vertices, entryAt(columns.targets, at))
    const kind = entryAt(columns.kinds, at)
    if (kind < kindCodes.set) {
      const parentId =
        kind === kindCodes.rootMove ? null : entryAt(names.vertices, entryAt(columns.parents, at))
      const op: MoveOperation = { clock, peerId, treeId, spaceId, targetId, parentId }
      const problem = moveProblem(op)
      if (problem !== undefined) throw invalidOperation(at, `parentId: ${problem}`)
      ops.push(op)
      continue
    }
    const key = entryAt(names.keys, (kind - kindCodes.set) >> 1)
    ops.push(
      isSet(kind)
        ? { clock, peerId, treeId, spaceId, targetId, key, value: entryAt(values, valuesUsed++) }
        : { clock, peerId, treeId, spaceId, targetId, key },
    )
  }
  return ops
}

/** For an index that was checked when its column was read. */
function entryAt<T>(column: { readonly [index: number]: T }, index: number): T {
  const entry = column[index]
  if (entry === undefined) throw new RangeError(`no entry ${index}`)
  return entry
}
