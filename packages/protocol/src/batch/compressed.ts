import { SyncError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decompressBlocks } from './zstd/index.ts'

/** The first bytes of a frame of zstd. A batch as it is begins with its version. */
const magic = [0x28, 0xb5, 0x2f, 0xfd] as const

/** Bits of the byte that follows: the size is given and is that of the only segment; a checksum ends the frame; what must not be set. */
const isSingleSegment = 0x20
const hasChecksum = 0x04
const forbidden = 0x0b

/** Bytes of the size, by the two highest bits of the same byte. */
const sizeBytes = [1, 2, 4, 8] as const

export function isCompressed(bytes: Uint8Array): boolean {
  return magic.every((byte, index) => bytes[index] === byte)
}

/**
 * The batch in a frame of zstd (RFC 8878). Looks at the size that the frame states before it reserves memory for it. Throws
 * `invalid_batch`, and `too_large` for a batch that no reader accepts.
 */
export function decompressBatch(bytes: Uint8Array): Uint8Array {
  const descriptor = bytes[magic.length] ?? 0
  if ((descriptor & isSingleSegment) === 0 || (descriptor & forbidden) !== 0) {
    throw new SyncError('invalid_batch', "the batch's compression: the header does not state the size alone")
  }
  const length = sizeBytes[descriptor >> 6] ?? 1
  // Two bytes begin where one ends.
  let size = length === 2 ? 256 : 0
  for (let index = 0; index < length; index++) size += (bytes[magic.length + 1 + index] ?? 0) * 256 ** index
  if (size > limits.maxBatchBytes) {
    throw new SyncError('too_large', `${size} bytes, more than ${limits.maxBatchBytes}`)
  }
  const batch = new Uint8Array(size)
  try {
    decompressBlocks(bytes, magic.length + 1 + length, (descriptor & hasChecksum) !== 0, batch)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SyncError('invalid_batch', `the batch's compression: ${reason}`)
  }
  return batch
}
