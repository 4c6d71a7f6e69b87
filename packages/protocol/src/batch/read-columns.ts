import type { ByteReader } from './byte-reader.ts'
import { kindCodes, vertexCodes } from './column-codes.ts'
import { invalidOperation } from './invalid-operation.ts'

/**
 * Reads the columns before the values: one number for each operation. Indices are checked against the dictionaries:
 * they are in range, first uses are in order, and every entry is used.
 */

export function readKinds(reader: ByteReader, count: number, keyCount: number): Int32Array {
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

/** Reads a column of runs, and calls `spread` with the value and the range of operations of each run. */
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

export function readIndexRuns(
  reader: ByteReader,
  section: string,
  count: number,
  nameCount: number,
): Int32Array {
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

/** Reads the clocks. Each is written as the difference from the previous clock in the same tree. */
export function readClocks(reader: ByteReader, trees: Int32Array, treeCount: number): Float64Array {
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

export function readVertexRefs(
  reader: ByteReader,
  kinds: Int32Array,
  vertexCount: number,
): { targets: Int32Array; parents: Int32Array } {
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
