import type { PeerId, TreeId } from '../ids.ts'
import { utf8Length, type JsonValue } from '../json-value.ts'
import type { TreeOperation } from '../operation.ts'
import { isSet, kindCodes } from './column-codes.ts'
import { type BatchHeader, entryAt, keyIndex, numberAt, readFrame } from './frame.ts'

/** A batch whose operations are made one at a time. An index is 0 or more, and below `count`. */
export interface OpenBatch extends BatchHeader {
  clockAt(index: number): number
  treeIdAt(index: number): TreeId
  peerIdAt(index: number): PeerId
  /** The operation, whose value is read only now. */
  opAt(index: number): TreeOperation
  /** What an operation changes: a property of a vertex, or its parent. */
  placeAt(index: number): Pick<TreeOperation, 'targetId' | 'key' | 'parentId'>
  /**
   * Whether the operation has the content of `op`, whose value is `valueText` as JSON. A value is read only where it is as
   * long as that.
   */
  hasContentAt(index: number, op: TreeOperation, valueText: string | undefined): boolean
  /** The operation's value as JSON text; undefined for a move and for a removal. */
  valueTextAt(index: number): string | undefined
  /** Bytes of that text in UTF-8; 0 without a value. */
  valueBytesAt(index: number): number
}

/**
 * Opens a batch for a reader that trusts it and needs a few of its operations: reads the columns as `decodeBatch` does, and
 * no value. Throws like `decodeBatch` for columns that are wrong. A value that is wrong shows when it is read: `opAt` throws a
 * `SyntaxError` for text that is not JSON, or not UTF-8.
 *
 *     const batch = openBatch(page)
 *     const last = batch.opAt(batch.count - 1)
 */
export function openBatch(bytes: ArrayBuffer | ArrayBufferView): OpenBatch {
  const { reader, spaceId, count, dictionaries, columns } = readFrame(bytes)
  const { peers, trees, vertices, keys } = dictionaries
  const ends = new Uint32Array(count)
  reader.enter('values column')
  let total = 0
  for (let at = 0; at < count; at++) {
    if (isSet(numberAt(columns.kinds, at))) total += reader.readVarint()
    ends[at] = total
  }
  if (total !== reader.remaining) reader.fail(`${reader.remaining} bytes are left for ${total} of values`)
  const values = reader.readBytes(total)
  const startOf = (index: number): number => (index === 0 ? 0 : numberAt(ends, index - 1))

  const treeIdAt = (index: number): TreeId => entryAt(trees.names, numberAt(columns.trees, index))
  const peerIdAt = (index: number): PeerId => entryAt(peers.names, numberAt(columns.peers, index))

  function valueTextAt(index: number): string | undefined {
    if (!isSet(numberAt(columns.kinds, index))) return undefined
    try {
      return decoder.decode(values.subarray(startOf(index), numberAt(ends, index)))
    } catch {
      throw new SyntaxError('a value is not UTF-8')
    }
  }

  function placeAt(index: number): Pick<TreeOperation, 'targetId' | 'key' | 'parentId'> {
    const targetId = entryAt(vertices.names, numberAt(columns.targets, index))
    const kind = numberAt(columns.kinds, index)
    if (kind >= kindCodes.set) return { targetId, key: entryAt(keys.names, keyIndex(kind)) }
    if (kind === kindCodes.rootMove) return { targetId, parentId: null }
    return { targetId, parentId: entryAt(vertices.names, numberAt(columns.parents, index)) }
  }

  return {
    spaceId,
    count,
    placeAt,
    hasContentAt: (index, op, valueText) => {
      const { targetId, key, parentId } = placeAt(index)
      if (targetId !== op.targetId || key !== op.key || parentId !== op.parentId) return false
      const isValue = isSet(numberAt(columns.kinds, index))
      if (!isValue || valueText === undefined) return isValue === (valueText !== undefined)
      const bytes = numberAt(ends, index) - startOf(index)
      return utf8Length(valueText) === bytes && valueTextAt(index) === valueText
    },
    clockAt: (index) => numberAt(columns.clocks, index),
    treeIdAt,
    peerIdAt,
    valueTextAt,
    valueBytesAt: (index) => numberAt(ends, index) - startOf(index),
    opAt: (index) => {
      const clock = numberAt(columns.clocks, index)
      const [treeId, peerId] = [treeIdAt(index), peerIdAt(index)]
      const { targetId, key, parentId = null } = placeAt(index)
      const of = { clock, peerId, treeId, spaceId, targetId }
      if (key === undefined) return { ...of, parentId }
      const text = valueTextAt(index)
      if (text === undefined) return { ...of, key }
      const value: JsonValue = JSON.parse(text)
      return { ...of, key, value }
    },
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
