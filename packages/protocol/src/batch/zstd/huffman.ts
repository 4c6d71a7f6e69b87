import { backwardBits, bitsAt, highestBit, readBits, type BackwardBits } from './backward-bits.ts'
import { baseOf, bitsOf, entryOf, readEntropyTable, symbolOf } from './entropy-table.ts'

/** A Huffman code (RFC 8878, 4.2). What the next `longest` bits begin with: the symbol, shifted by 4, and the length of its code. */
export interface HuffmanCode {
  readonly entries: Uint16Array
  readonly longest: number
}

const longestAllowed = 11
const mostSymbols = 256

/** Reads a code's description at `at`. Returns the code, and where what follows begins. */
export function readHuffmanCode(
  bytes: DataView,
  at: number,
  end: number,
): { readonly code: HuffmanCode; readonly next: number } {
  const header = bytes.getUint8(at)
  const first = at + 1
  const next = first + (header < 128 ? header : (header - 126) >> 1)
  if (next > end) throw new Error('a Huffman code is cut off')
  const weights =
    header < 128
      ? compressedWeights(bytes, first, next)
      : Array.from({ length: header - 127 }, (_, index) => {
          const two = bytes.getUint8(first + (index >> 1))
          return index % 2 === 0 ? two >> 4 : two & 15
        })
  return { code: huffmanCode(weights), next }
}

/** Reads weights that are coded by a table of entropy with two states, which take turns. */
function compressedWeights(bytes: DataView, at: number, end: number): number[] {
  const { table, next } = readEntropyTable(bytes, at, end, { accuracyLog: 6, symbols: longestAllowed + 2 })
  const stream = backwardBits(bytes, next, end)
  let state = readBits(stream, table.accuracyLog)
  let other = readBits(stream, table.accuracyLog)
  if (stream.end < stream.start) throw new Error('the weights of a Huffman code are cut off')
  const weights: number[] = []
  // A state that takes more bits than there are is the last but one. States may take none, so that alone would not end.
  while (stream.end >= stream.start) {
    if (weights.length > mostSymbols - 2) throw new Error('a Huffman code has too many symbols')
    const entry = entryOf(table, state)
    weights.push(symbolOf(entry))
    state = other
    other = baseOf(entry) + readBits(stream, bitsOf(entry))
  }
  weights.push(symbolOf(entryOf(table, state)))
  return weights
}

/** The code of symbols with these weights, and of one more: its weight is what makes the sum a power of two. */
function huffmanCode(weights: readonly number[]): HuffmanCode {
  let sum = 0
  for (const weight of weights) {
    if (weight > longestAllowed) throw new Error('a weight of a Huffman code is too large')
    if (weight > 0) sum += 2 ** (weight - 1)
  }
  const longest = sum === 0 ? 0 : highestBit(sum) + 1
  const rest = 2 ** longest - sum
  if (sum === 0 || longest > longestAllowed || (rest & (rest - 1)) !== 0 || weights.length >= mostSymbols) {
    throw new Error('the weights of a Huffman code do not fit together')
  }
  const all = [...weights, highestBit(rest) + 1]
  const entries = new Uint16Array(2 ** longest)
  let at = 0
  // The longest codes come first, those of one length in the order of their symbols.
  for (let weight = 1; weight <= longest; weight++) {
    const width = 2 ** (weight - 1)
    for (let symbol = 0; symbol < all.length; symbol++) {
      if (all[symbol] !== weight) continue
      entries.fill((symbol << 4) | (longest + 1 - weight), at, at + width)
      at += width
    }
  }
  return { entries, longest }
}

/** Decodes as many symbols as fit between `at` and `end` of `out` from the stream, which has to end with the last of them. */
export function decodeHuffman(
  { entries, longest }: HuffmanCode,
  stream: BackwardBits,
  out: Uint8Array,
  at: number,
  end: number,
): void {
  const { bytes, start } = stream
  let place = stream.end
  const whole = start + longest
  for (; at < end && place >= whole; at++) {
    const entry = entries[bitsAt(bytes, place - longest, longest)] ?? 0
    out[at] = entry >> 4
    place -= entry & 15
  }
  // Near the start there are fewer bits than the longest code has. What is before them counts as zeros.
  for (; at < end && place >= start; at++) {
    const left = place - start
    const entry = entries[bitsAt(bytes, start, left) << (longest - left)] ?? 0
    out[at] = entry >> 4
    place -= entry & 15
  }
  if (at < end || place !== start) throw new Error('a stream of a Huffman code does not end where it should')
}

/** The same for four streams, each of which has a quarter of the symbols. A table of the lengths of three comes first. */
export function decodeFourStreams(
  code: HuffmanCode,
  bytes: DataView,
  at: number,
  end: number,
  out: Uint8Array,
): void {
  const quarter = (out.length + 3) >> 2
  let from = at + 6
  for (let stream = 0; stream < 4; stream++) {
    const to = stream < 3 ? from + bytes.getUint16(at + 2 * stream, true) : end
    if (to > end) throw new Error('a stream of a Huffman code is cut off')
    const first = Math.min(stream * quarter, out.length)
    const last = stream < 3 ? Math.min(first + quarter, out.length) : out.length
    decodeHuffman(code, backwardBits(bytes, from, to), out, first, last)
    from = to
  }
}
