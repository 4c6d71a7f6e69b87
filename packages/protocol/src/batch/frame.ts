import { SyncError } from '../errors.ts'
import type { PeerId, SpaceId, TreeId, VertexId } from '../ids.ts'
import { limits } from '../limits.ts'
import { batchVersion } from './batch.ts'
import { ByteReader } from './byte-reader.ts'
import { kindCodes } from './column-codes.ts'
import { decompressBatch, isCompressed } from './compressed.ts'
import { readSpaceId } from './id-code.ts'
import { invalidOperation } from './invalid-operation.ts'
import { readClocks, readIndexRuns, readKinds, readVertexRefs } from './read-columns.ts'
import { readIds, readKeys, type Names } from './read-dictionary.ts'

export interface BatchHeader {
  readonly spaceId: SpaceId
  readonly count: number
}

/** Everything of a batch but its values, which `reader` has still to read. */
export interface BatchFrame extends BatchHeader {
  readonly reader: ByteReader
  readonly dictionaries: Dictionaries
  readonly columns: Columns
}

/** Reads the header, the dictionaries and the columns, and refuses what is invalid in them. */
export function readFrame(batch: ArrayBuffer | ArrayBufferView): BatchFrame {
  const bytes = bytesOf(batch)
  const reader = readerOf(isCompressed(bytes) ? decompressBatch(bytes) : bytes)
  const { spaceId, count } = readHeader(reader)
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
  return { reader, spaceId, count, dictionaries, columns }
}

export function readerOf(batch: ArrayBuffer | ArrayBufferView): ByteReader {
  const bytes = bytesOf(batch)
  if (bytes.length > limits.maxBatchBytes) {
    throw new SyncError('too_large', `${bytes.length} bytes, more than ${limits.maxBatchBytes}`)
  }
  return new ByteReader(bytes)
}

export function readHeader(reader: ByteReader): BatchHeader {
  const version = reader.readByte()
  if (version !== batchVersion) reader.fail(`version ${version} is not ${batchVersion}`)
  return { spaceId: readSpaceId(reader), count: readOpCount(reader) }
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

export interface Dictionaries {
  readonly peers: Names<PeerId>
  readonly trees: Names<TreeId>
  readonly vertices: Names<VertexId>
  readonly keys: Names<string>
}

/** One number for each operation. Ids and keys are indices into their dictionary. */
export interface Columns {
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
    const kind = numberAt(columns.kinds, at)
    const refuse = (field: string, { problems }: Names<string>, index: number): void => {
      const problem = problems.get(index)
      if (problem !== undefined) throw invalidOperation(at, `${field}: ${problem}`)
    }
    refuse('peerId', peers, numberAt(columns.peers, at))
    refuse('treeId', trees, numberAt(columns.trees, at))
    refuse('targetId', vertices, numberAt(columns.targets, at))
    if (kind === kindCodes.move) refuse('parentId', vertices, numberAt(columns.parents, at))
    if (kind >= kindCodes.set) refuse('key', keys, keyIndex(kind))
  }
}

/** The key of an operation that sets or removes a property. */
export function keyIndex(kind: number): number {
  return (kind - kindCodes.set) >> 1
}

/** The number of an operation: `entryAt` for columns, which engines read faster where no other lists are read. */
export function numberAt(column: Int32Array | Float64Array | Uint32Array, index: number): number {
  const number = column[index]
  if (number === undefined) throw new RangeError(`no entry ${index}`)
  return number
}

/** The entry at an index that was checked when its column was read. */
export function entryAt<T>(column: { readonly [index: number]: T }, index: number): T {
  const entry = column[index]
  if (entry === undefined) throw new RangeError(`no entry ${index}`)
  return entry
}
