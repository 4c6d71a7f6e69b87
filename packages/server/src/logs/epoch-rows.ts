import { crc32 } from 'node:zlib'

import type { Epoch } from '@t69/protocol'

import { WrongContentError } from '../sqlite/storage-failure.ts'

/** A row of the table of epochs: which process committed what comes after `after`. */
export interface EpochRow {
  readonly epoch: Epoch
  readonly after: number
}

/** The row with its checksum, which also names the row before it, and a mark in the last: one that is gone shows. */
export interface StoredEpochRow extends EpochRow {
  /** Null: older than checksums. */
  readonly checksum: number | null
  /** 1 in the last row, 0 in those before it. */
  readonly is_last: number
}

/** The row as it is stored behind `before`, which is not the last any more. */
export function storedEpochRow(
  row: EpochRow,
  before: EpochRow | undefined,
): EpochRow & { readonly checksum: number; readonly is_last: number } {
  return { ...row, checksum: checksumOf(row, before), is_last: 1 }
}

/** CRC-32 of a row, and of where the row before it begins. As JSON: damage can make any value one of another type. */
function checksumOf({ epoch, after }: EpochRow, before: EpochRow | undefined): number {
  return crc32(JSON.stringify([before?.after ?? null, after, epoch]))
}

/**
 * The last row of a log that ends at `head`. `stored` are all of its rows, in the order of their positions. Throws
 * `WrongContentError` where one is not what was written: a device would be told that the log still has what it saw of it, and it
 * does not, or the other way round.
 */
export function lastEpochOf(stored: Iterable<StoredEpochRow>, head: number): EpochRow | undefined {
  let last: StoredEpochRow | undefined
  for (const row of stored) {
    const isWritten = row.checksum === null || row.checksum === checksumOf(row, last)
    if (!isWritten || (last !== undefined && row.after <= last.after)) {
      throw new WrongContentError(`the epoch after ${row.after} does not fit its checksum`)
    }
    if (last !== undefined && last.is_last !== 0) {
      throw new WrongContentError(`the epoch after ${last.after} is not the last`)
    }
    last = row
  }
  if (last === undefined ? head > 0 : last.is_last !== 1) throw new WrongContentError('an epoch is missing')
  if (last !== undefined && last.after >= head) {
    throw new WrongContentError(`an epoch began after ${last.after}, and the log ends at ${head}`)
  }
  return last
}
