import type { FrameState } from './frame-state.ts'
import { readLiterals } from './literals.ts'
import { writeSequences } from './sequences.ts'

const maxBlockBytes = 131_072
/** So many zeros follow the frame that what is described in it can be read to its end, wherever the frame is cut off. */
const spareBytes = 128

/**
 * Decompresses the blocks of a frame of zstd (RFC 8878, 3.1.1.2), which begin at `at`, into `out`, which they have to fill. The
 * frame has one segment and no dictionary, and nothing follows it but its checksum, which is not looked at. Throws an `Error` for
 * anything else. Whatever the bytes are, the time is bounded by their number and the size of `out`.
 */
export function decompressBlocks(frame: Uint8Array, at: number, hasChecksum: boolean, out: Uint8Array): void {
  const copy = new Uint8Array(frame.length + spareBytes)
  copy.set(frame)
  const bytes = new DataView(copy.buffer)
  const state: FrameState = { out, written: 0, code: undefined, tables: undefined, offsets: [1, 4, 8] }
  for (let isLast = false; !isLast;) {
    const header = bytes.getUint32(at, true) & 0xffffff
    isLast = (header & 1) === 1
    const type = (header >> 1) & 3
    const size = header >> 3
    const first = at + 3
    const limit = Math.min(state.written + maxBlockBytes, out.length)
    at = first + (type === 1 ? 1 : size)
    if (at > frame.length || size > maxBlockBytes) throw new Error('a block is cut off')
    if (type === 3) throw new Error('there is no such type of block')
    if (type === 2) {
      const { literals, next } = readLiterals(bytes, first, at, state, limit - state.written)
      writeSequences(bytes, next, at, literals, state, limit)
    } else {
      if (state.written + size > limit) throw new Error('the blocks hold more than the header states')
      if (type === 0) out.set(frame.subarray(first, at), state.written)
      else out.fill(bytes.getUint8(first), state.written, state.written + size)
      state.written += size
    }
  }
  if (state.written !== out.length) throw new Error('the blocks hold less than the header states')
  if (at + (hasChecksum ? 4 : 0) !== frame.length) {
    throw new Error('the frame does not end with its last block')
  }
}
