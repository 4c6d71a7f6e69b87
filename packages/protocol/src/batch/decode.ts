import type { SpaceId } from '../ids.ts'
import { moveProblem, type MoveOperation, type TreeOperation } from '../operation.ts'
import type { Batch } from './batch.ts'
import type { ByteReader } from './byte-reader.ts'
import { isSet, kindCodes } from './column-codes.ts'
import {
  type BatchHeader,
  type Columns,
  type Dictionaries,
  entryAt,
  numberAt,
  keyIndex,
  readerOf,
  readFrame,
  readHeader,
} from './frame.ts'
import { invalidOperation } from './invalid-operation.ts'
import { readValues } from './values-column.ts'

/**
 * Decodes a batch that `encodeBatch` encoded. Decoding validates: every operation passes `treeOperationSchema`. Throws
 * only `SyncError`s: `invalid_batch` (`at` is the index of an operation, if one is to blame) or `too_large`. Reserves
 * memory in proportion to the bytes that are there, whatever counts they claim. Takes the bytes as Socket.io gives them:
 * in an `ArrayBuffer` in a browser, and in a view in Node. A page may be compressed: it is decompressed first.
 *
 *     const { spaceId, ops } = decodeBatch(reply.batch)
 */
export function decodeBatch(batch: ArrayBuffer | ArrayBufferView): Batch {
  const { reader, spaceId, dictionaries, columns } = readFrame(batch)
  return { spaceId, ops: readOps(reader, spaceId, dictionaries, columns) }
}

/**
 * What a batch says of itself: its space, and how many operations it has. Cheap: reads nothing behind the header. Throws
 * like `decodeBatch` for a header that is wrong, and `invalid_batch` for a batch that is compressed.
 */
export function readBatchHeader(batch: ArrayBuffer | ArrayBufferView): BatchHeader {
  return readHeader(readerOf(batch))
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
    const clock = numberAt(columns.clocks, at)
    const peerId = entryAt(peers.names, numberAt(columns.peers, at))
    const treeId = entryAt(trees.names, numberAt(columns.trees, at))
    const targetId = entryAt(vertices.names, numberAt(columns.targets, at))
    const kind = numberAt(columns.kinds, at)
    if (kind < kindCodes.set) {
      const parentId =
        kind === kindCodes.rootMove ? null : entryAt(vertices.names, numberAt(columns.parents, at))
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
