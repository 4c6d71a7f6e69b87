import { backwardBits, bitsAt } from './backward-bits.ts'
import {
  baseOf,
  bitsOf,
  constantTable,
  entropyTable,
  entryOf,
  readEntropyTable,
  symbolOf,
  type EntropyTable,
} from './entropy-table.ts'
import type { FrameState, SequenceTables } from './frame-state.ts'

/** What is likely where a block describes no table of its own (RFC 8878, 3.1.1.3.2.2). */
const defaults: SequenceTables = [
  // oxfmt-ignore
  entropyTable([4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1], 6),
  entropyTable(
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    5,
  ),
  // oxfmt-ignore
  entropyTable([1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1], 6),
]

/** How many symbols each table may have. An offset of more bits would reach back beyond any batch. */
const mostSymbols = [36, 25, 53] as const
const mostAccuracy = [9, 8, 9] as const

/** Lengths are coded in steps: each has a length that it begins with, and a number of bits that say how much longer it is. */
// oxfmt-ignore
const literalBits = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
// oxfmt-ignore
const matchBits = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
const literalSteps = steps(literalBits, 0)
const matchSteps = steps(matchBits, 3)

interface Steps {
  readonly bits: Uint8Array
  readonly lengths: Int32Array
}

function steps(bits: readonly number[], first: number): Steps {
  let length = first
  const lengths = bits.map((count) => (length += 2 ** count) - 2 ** count)
  return { bits: Uint8Array.from(bits), lengths: Int32Array.from(lengths) }
}

const bitsOfStep = ({ bits }: Steps, step: number): number => bits[step] ?? 0
const lengthOfStep = ({ lengths }: Steps, step: number): number => lengths[step] ?? 0

/**
 * Reads the sequences of a block, and writes what they and the literals make (RFC 8878, 3.1.1.3.2), up to `limit`. A sequence copies
 * literals, then what was written before.
 */
export function writeSequences(
  bytes: DataView,
  at: number,
  end: number,
  literals: Uint8Array,
  state: FrameState,
  limit: number,
): void {
  const { out, offsets } = state
  let { written } = state
  const { count, next } = readCount(bytes, at)
  if (next > end) throw new Error('the sequences of a block are cut off')
  let copied = 0
  if (count > 0) {
    const { tables, next: first } = readTables(bytes, next, end, state)
    state.tables = tables
    const [literalTable, offsetTable, matchTable] = tables
    const { start, end: beginning } = backwardBits(bytes, first, end)
    let place = beginning - literalTable.accuracyLog
    let literalState = bitsAt(bytes, place, literalTable.accuracyLog)
    let offsetState = bitsAt(bytes, (place -= offsetTable.accuracyLog), offsetTable.accuracyLog)
    let matchState = bitsAt(bytes, (place -= matchTable.accuracyLog), matchTable.accuracyLog)
    for (let left = count; left > 0; left--) {
      const literalEntry = entryOf(literalTable, literalState)
      const offsetEntry = entryOf(offsetTable, offsetState)
      const matchEntry = entryOf(matchTable, matchState)
      let bits = symbolOf(offsetEntry)
      const offsetCode = (1 << bits) + bitsAt(bytes, (place -= bits), bits)
      const matchStep = symbolOf(matchEntry)
      bits = bitsOfStep(matchSteps, matchStep)
      const matchLength = lengthOfStep(matchSteps, matchStep) + bitsAt(bytes, (place -= bits), bits)
      const literalStep = symbolOf(literalEntry)
      bits = bitsOfStep(literalSteps, literalStep)
      const literalLength = lengthOfStep(literalSteps, literalStep) + bitsAt(bytes, (place -= bits), bits)
      if (left > 1) {
        bits = bitsOf(literalEntry)
        literalState = baseOf(literalEntry) + bitsAt(bytes, (place -= bits), bits)
        bits = bitsOf(matchEntry)
        matchState = baseOf(matchEntry) + bitsAt(bytes, (place -= bits), bits)
        bits = bitsOf(offsetEntry)
        offsetState = baseOf(offsetEntry) + bitsAt(bytes, (place -= bits), bits)
      }
      const offset = offsetOf(offsetCode, literalLength === 0, offsets)
      const from = written + literalLength - offset
      if (
        place < start ||
        copied + literalLength > literals.length ||
        written + literalLength + matchLength > limit ||
        offset === 0 ||
        from < 0
      ) {
        throw new Error('a sequence is damaged')
      }
      copy(literals, copied, out, written, literalLength)
      copied += literalLength
      written += literalLength
      copy(out, from, out, written, matchLength)
      written += matchLength
    }
    if (place !== start) throw new Error('the sequences do not end where they should')
  } else if (next !== end) throw new Error('something follows a block without sequences')
  const rest = literals.length - copied
  if (written + rest > limit) throw new Error('a block has more than fits')
  out.set(literals.subarray(copied), written)
  state.written = written + rest
}

function readCount(bytes: DataView, at: number): { readonly count: number; readonly next: number } {
  const first = bytes.getUint8(at)
  if (first < 128) return { count: first, next: at + 1 }
  if (first < 255) return { count: (first - 128) * 256 + bytes.getUint8(at + 1), next: at + 2 }
  return { count: 0x7f00 + bytes.getUint16(at + 1, true), next: at + 3 }
}

function readTables(
  bytes: DataView,
  at: number,
  end: number,
  state: FrameState,
): { readonly tables: SequenceTables; readonly next: number } {
  const modes = bytes.getUint8(at)
  let next = at + 1
  if ((modes & 3) !== 0) throw new Error('bits are set that mean nothing')

  function read(index: 0 | 1 | 2): EntropyTable {
    const symbols = mostSymbols[index]
    const mode = (modes >> (6 - 2 * index)) & 3
    if (mode === 0) return defaults[index]
    if (mode === 1) {
      const symbol = bytes.getUint8(next++)
      if (symbol >= symbols) throw new Error('there is no such symbol')
      return constantTable(symbol)
    }
    if (mode === 2) {
      const described = readEntropyTable(bytes, next, end, { accuracyLog: mostAccuracy[index], symbols })
      next = described.next
      return described.table
    }
    const again = state.tables?.[index]
    if (again === undefined) throw new Error('there is no table to use again')
    return again
  }

  return { tables: [read(0), read(1), read(2)], next }
}

/** The offset that a code stands for: one of the last three, or another. Moves it to the front of them. */
function offsetOf(code: number, isWithoutLiterals: boolean, last: [number, number, number]): number {
  if (code > 3) {
    last[2] = last[1]
    last[1] = last[0]
    last[0] = code - 3
    return last[0]
  }
  const index = isWithoutLiterals ? code : code - 1
  if (index === 0) return last[0]
  const offset = index === 3 ? last[0] - 1 : index === 2 ? last[2] : last[1]
  if (index > 1) last[2] = last[1]
  last[1] = last[0]
  last[0] = offset
  return offset
}

/** Copies forwards, byte by byte, so that what is copied may be copied again: a short match repeats itself. */
function copy(from: Uint8Array, at: number, to: Uint8Array, into: number, length: number): void {
  for (let index = 0; index < length; index++) to[into + index] = from[at + index] ?? 0
}
