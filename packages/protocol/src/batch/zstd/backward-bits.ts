/**
 * Bits that are read from the end to the start, as zstd writes what it codes by entropy (RFC 8878, 4.1). Both places are counted in
 * bits from the start of `bytes`.
 */
export interface BackwardBits {
  readonly bytes: DataView
  /** Everything below is read already if it is equal to `start`. Below `start`, more was read than there is: the reader has to look. */
  end: number
  readonly start: number
}

/** The stream in `bytes` from `start` to `end`. The highest bit that is set in its last byte marks where it begins. */
export function backwardBits(bytes: DataView, start: number, end: number): BackwardBits {
  const last = end > start ? bytes.getUint8(end - 1) : 0
  if (last === 0) throw new Error('a stream of bits has no beginning')
  return { bytes, start: start * 8, end: (end - 1) * 8 + highestBit(last) }
}

/** The next `count` bits as a number, at most 24. */
export function readBits(stream: BackwardBits, count: number): number {
  stream.end -= count
  return bitsAt(stream.bytes, stream.end, count)
}

/** The `count` bits from a place on, as a number, at most 24. At least four bytes have to follow the place. */
export const bitsAt = (bytes: DataView, place: number, count: number): number =>
  (bytes.getUint32(place >> 3, true) >>> (place & 7)) & ((1 << count) - 1)

/** The place of the highest bit that is set, of a number that has one. */
export const highestBit = (number: number): number => 31 - Math.clz32(number)
