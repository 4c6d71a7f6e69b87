import { SyncError } from '../errors.ts'
import type { PeerId, SpaceId, TreeId, VertexId } from '../ids.ts'
import { limits } from '../limits.ts'
import { keyProblem, moveProblem, type MoveOperation, type TreeOperation } from '../operation.ts'
import { batchVersion, type Batch } from './batch.ts'
import { ByteReader } from './byte-reader.ts'
import { isSet, kindCodes, vertexCodes } from './column-codes.ts'
import { readId, readSpaceId } from './id-code.ts'
import { invalidOperation } from './invalid-operation.ts'
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

function readDictionary<Name extends string>(
  reader: ByteReader,
  section: string,
  atMost: number,
  readEntry: (reader: ByteReader) => string,
): Name[] {
  reader.enter(section)
  const count = reader.readCount(2, atMost)
  const names = new Set<string>()
  for (let index = 0; index < count; index++) names.add(readEntry(reader))
  if (names.size !== count) reader.fail('a name occurs twice')
  // Each entry has passed its rule, which is what the brand says.
  return [...names] as Name[]
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readKey(reader: ByteReader): string {
  const bytes = reader.readBytes(reader.readCount(1, limits.maxKeyLength * 3))
  let key: string
  try {
    key = decoder.decode(bytes)
  } catch {
    return reader.fail('a key is not UTF-8')
  }
  const problem = keyProblem(key)
  if (problem !== undefined) reader.fail(`a key ${problem}`)
  return key
}

function readKinds(reader: ByteReader, count: number, keyCount: number): Int32Array {
  reader.enter('kinds column')
  const kinds = new Int32Array(count)
  let keysSeen = 0
  for (let at = 0; at < count; at++) {
    const kind = reader.readVarint()
    if (kind >= kindCodes.set) {
      const key = (kind - (kind % 2) - kindCodes.set) / 2
      if (key > keysSeen || key >= keyCount) reader.fail('a key is out of turn')
      if (key === keysSeen) keysSeen++
    }
    kinds[at] = kind
  }
  if (keysSeen !== keyCount) reader.fail('a key is never used')
  return kinds
}

/** Spreads the runs of a column over its operations; `readValue` gets the index of a run's first one. */
function readRuns(
  reader: ByteReader,
  section: string,
  count: number,
  readValue: () => number,
  spread: (value: number, from: number, to: number) => void,
): void {
  reader.enter(section)
  let previous: number | undefined
  for (let from = 0; from < count;) {
    const value = readValue()
    if (value === previous) reader.fail('two runs should be one')
    previous = value
    const length = reader.readVarint() + 1
    if (length > count - from) reader.fail('a run is longer than the batch')
    spread(value, from, from + length)
    from += length
  }
}

function readIndexRuns(reader: ByteReader, section: string, count: number, nameCount: number): Int32Array {
  const indices = new Int32Array(count)
  let seen = 0
  const readIndex = () => {
    const index = reader.readVarint()
    if (index > seen || index >= nameCount) reader.fail('a name is out of turn')
    if (index === seen) seen++
    return index
  }
  readRuns(reader, section, count, readIndex, (index, from, to) => indices.fill(index, from, to))
  if (seen !== nameCount) reader.fail('a name is never used')
  return indices
}

/** Each clock is written as its distance from the one before it in the same tree. */
function readClocks(reader: ByteReader, trees: Int32Array, treeCount: number): Float64Array {
  const clocks = new Float64Array(trees.length)
  const lastClocks = new Float64Array(treeCount)
  const spread = (delta: number, from: number, to: number) => {
    for (let at = from; at < to; at++) {
      const tree = trees[at] ?? 0
      const clock = (lastClocks[tree] ?? 0) + delta
      if (clock < 1 || clock > Number.MAX_SAFE_INTEGER) {
        throw invalidOperation(at, 'clock: must be a safe integer, 1 or more')
      }
      clocks[at] = clock
      lastClocks[tree] = clock
    }
  }
  readRuns(reader, 'clocks column', trees.length, () => reader.readSignedVarint(), spread)
  return clocks
}

function readVertexRefs(
  reader: ByteReader,
  kinds: Int32Array,
  vertexCount: number,
): Pick<Columns, 'targets' | 'parents'> {
  reader.enter('vertices column')
  const targets = new Int32Array(kinds.length)
  const parents = new Int32Array(kinds.length)
  let seen = 0
  const readRef = (last: number) => {
    const code = reader.readVarint()
    if (code === vertexCodes.same && last >= 0) return last
    const index = code === vertexCodes.fresh ? seen++ : seen - 1 - (code - vertexCodes.newest)
    if (code === vertexCodes.same || index < 0 || index >= vertexCount || index === last) {
      reader.fail('a vertex is out of turn')
    }
    return index
  }
  let lastParent = -1
  for (let at = 0; at < kinds.length; at++) {
    targets[at] = readRef(at === 0 ? -1 : (targets[at - 1] ?? 0))
    if (kinds[at] === kindCodes.move) parents[at] = lastParent = readRef(lastParent)
  }
  if (seen !== vertexCount) reader.fail('a vertex is never used')
  return { targets, parents }
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
