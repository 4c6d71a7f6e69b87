import { SyncError } from '../errors.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The longest text that is read byte by byte, in bytes. For a short one, the call of a decoder takes longer. */
const shortText = 64

/**
 * Reads exactly what `ByteWriter` writes. A number with needless bytes is refused, so that equal batches are equal
 * bytes. Every failure is an `invalid_batch` that names the section being read.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  #offset = 0
  #section = 'header'

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  /** Names the section that is read from here on, for error messages. */
  enter(section: string): void {
    this.#section = section
  }

  fail(problem: string): never {
    throw new SyncError('invalid_batch', `the batch's ${this.#section}: ${problem}`)
  }

  readByte(): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) this.fail('the bytes end too early')
    this.#offset++
    return byte
  }

  /** The next bytes, as a view. */
  readBytes(length: number): Uint8Array {
    if (length > this.remaining) this.fail('the bytes end too early')
    const bytes = this.#bytes.subarray(this.#offset, this.#offset + length)
    this.#offset += length
    return bytes
  }

  /** Text of UTF-8 that takes `length` bytes; undefined if they are something else. */
  readText(length: number): string | undefined {
    if (length <= shortText && length <= this.remaining) {
      const units = this.#asciiUnits(length)
      if (units !== undefined) {
        this.#offset += length
        return String.fromCharCode(...units)
      }
    }
    const bytes = this.readBytes(length)
    try {
      return decoder.decode(bytes)
    } catch {
      return undefined
    }
  }

  #asciiUnits(length: number): number[] | undefined {
    const units: number[] = []
    for (let at = this.#offset; at < this.#offset + length; at++) {
      const byte = this.#bytes[at] ?? 0
      if (byte >= 0x80) return undefined
      units.push(byte)
    }
    return units
  }

  /** A safe integer, 0 or more. */
  readVarint(): number {
    let byte = this.readByte()
    if (byte < 0x80) return byte
    let value = byte - 0x80
    // The eighth byte holds the bits from 2^49 up. A ninth byte would exceed the safe integers.
    for (let scale = 0x80; scale <= 2 ** 49; scale *= 0x80) {
      byte = this.readByte()
      value += (byte & 0x7f) * scale
      if (byte >= 0x80) continue
      if (byte === 0) this.fail('a number has needless bytes')
      if (value > Number.MAX_SAFE_INTEGER) break
      return value
    }
    return this.fail('a number is too large')
  }

  readSignedVarint(): number {
    const byte = this.readByte()
    let magnitude = (byte & 0x7f) >> 1
    if (byte >= 0x80) {
      const rest = this.readVarint()
      if (rest === 0) this.fail('a number has needless bytes')
      magnitude += rest * 0x40
      if (magnitude > Number.MAX_SAFE_INTEGER) this.fail('a number is too large')
    }
    return byte % 2 === 0 ? magnitude : -magnitude - 1
  }

  /**
   * The number of entries that follow, each of at least `minBytes`. Checked against the bytes that are left, so that
   * the caller may reserve memory for them.
   */
  readCount(minBytes: number, atMost: number): number {
    const count = this.readVarint()
    if (count > atMost || count * minBytes > this.remaining) this.fail(`${count} entries cannot be`)
    return count
  }
}
