import { backwardBits } from './backward-bits.ts'
import type { FrameState } from './frame-state.ts'
import { decodeFourStreams, decodeHuffman, readHuffmanCode } from './huffman.ts'

export interface Literals {
  readonly literals: Uint8Array
  /** Where the sequences begin. */
  readonly next: number
}

/** Reads the literals of a block (RFC 8878, 3.1.1.3.1), at most `most`. */
export function readLiterals(
  bytes: DataView,
  at: number,
  end: number,
  state: FrameState,
  most: number,
): Literals {
  const header = bytes.getUint32(at, true) + bytes.getUint8(at + 4) * 2 ** 32
  const type = header & 3
  const format = (header >> 2) & 3
  if (type < 2) {
    const headerBytes = [1, 2, 1, 3][format] ?? 1
    const size = (header % 2 ** (8 * headerBytes)) >> (headerBytes === 1 ? 3 : 4)
    const first = at + headerBytes
    const next = first + (type === 0 ? size : 1)
    refuse(size > most || next > end)
    const literals =
      type === 0
        ? new Uint8Array(bytes.buffer, first, size)
        : new Uint8Array(size).fill(bytes.getUint8(first))
    return { literals, next }
  }
  // Both sizes have as many bits.
  const sizeBits = [10, 10, 14, 18][format] ?? 10
  const size = Math.floor(header / 16) % 2 ** sizeBits
  const compressed = Math.floor(header / 2 ** (4 + sizeBits)) % 2 ** sizeBits
  const first = at + ((4 + 2 * sizeBits + 7) >> 3)
  const next = first + compressed
  refuse(size > most || next > end)
  const { code, next: streams } =
    type === 2 ? readHuffmanCode(bytes, first, next) : { code: state.code, next: first }
  state.code = code
  if (code === undefined) throw new Error('there is no Huffman code to use again')
  const literals = new Uint8Array(size)
  if (format === 0) decodeHuffman(code, backwardBits(bytes, streams, next), literals, 0, size)
  else decodeFourStreams(code, bytes, streams, next, literals)
  return { literals, next }
}

function refuse(isWrong: boolean): void {
  if (isWrong) throw new Error('the literals of a block do not fit into it')
}
