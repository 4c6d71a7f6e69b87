import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

import { limits, openBatch, type OpenBatch, SyncError } from '@t69/protocol'

import { WrongContentError } from '../sqlite/storage-failure.ts'

/** A page of the log that is kept and sent as it is: positions `after + 1` to `cursor`. */
export interface Segment {
  readonly after: number
  readonly cursor: number
  /** Bytes of the batch. */
  readonly bytes: number
  /** The batch under zstd. */
  readonly page: Uint8Array
}

export interface StoredSegment extends Segment {
  readonly checksum: number
}

/**
 * Of zstd's 22, by how long what is compressed is kept: for one reader (1 ms a page), until the segment grows (3 ms, 5 % less
 * room), for good (20 ms, 12 % less).
 */
const levels = { once: 3, forNow: 9, forGood: 15 } as const

/** A batch under zstd, which `decodeBatch` takes too. */
export function compress(batch: Uint8Array, kept: keyof typeof levels): Uint8Array {
  const params = { [constants.ZSTD_c_compressionLevel]: levels[kept] }
  return new Uint8Array(zstdCompressSync(batch, { params }))
}

/** Whether a segment may still grow: it is less than three quarters of a page. */
export function isSmall({ after, cursor, bytes }: Omit<Segment, 'page'>): boolean {
  return cursor - after < limits.maxBatchOps * 0.75 && bytes < limits.batchBudgetBytes * 0.75
}

/** Compresses a batch. */
export function makeSegment(after: number, cursor: number, batch: Uint8Array): StoredSegment {
  const isFinal = !isSmall({ after, cursor, bytes: batch.length })
  const page = compress(batch, isFinal ? 'forGood' : 'forNow')
  const segment = { after, cursor, bytes: batch.length, page }
  return { ...segment, checksum: checksumOf(segment) }
}

/** CRC-32 of what a segment holds and of where it belongs. */
function checksumOf({ after, cursor, bytes, page }: Segment): number {
  return crc32(page, crc32(`${after} ${cursor} ${bytes}`))
}

/** Throws `WrongContentError` if the segment is not as it was written. Damage can make any value one of another type. */
export function checkSegment(segment: StoredSegment): void {
  if (!(segment.page instanceof Uint8Array) || checksumOf(segment) !== segment.checksum) {
    throw new WrongContentError(`the segment after ${segment.after} does not fit its checksum`)
  }
}

/** The batch of a segment that was checked. */
export function batchOf(segment: Segment): Uint8Array<ArrayBuffer> {
  const { after, bytes } = segment
  const batch = decompressed(segment)
  if (batch.length !== bytes) throw new WrongContentError(`the segment after ${after} has another length`)
  // Its memory may be shared with others, and bytes that are sent from a thread are handed over.
  return new Uint8Array(batch)
}

/** Whoever made the file of a copy may have put anything under a checksum that fits. */
function decompressed({ after, page }: Segment): Uint8Array {
  try {
    return zstdDecompressSync(page, { maxOutputLength: limits.maxBatchBytes })
  } catch (error) {
    if (!isOfContent(error)) throw error
    throw new WrongContentError(`the segment after ${after}: ${error.message}`, { cause: error })
  }
}

/** Whether what was to be decompressed is wrong, cut off or too large. A lack of memory says nothing of it. */
function isOfContent(error: unknown): error is Error {
  if (!(error instanceof Error) || !('code' in error)) return false
  const code = String(error.code)
  if (code === 'ERR_BUFFER_TOO_LARGE' || code === 'Z_BUF_ERROR') return true
  return code.startsWith('ZSTD_error_') && code !== 'ZSTD_error_memory_allocation'
}

/** The operations of a segment that was checked. */
export function opsOf(segment: Segment): OpenBatch {
  try {
    return openBatch(batchOf(segment))
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    throw new WrongContentError(`the segment after ${segment.after}: ${error.message}`, { cause: error })
  }
}
