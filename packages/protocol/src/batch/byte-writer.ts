const encoder = new TextEncoder()

/** The longest text that is written unit by unit, in UTF-16 code units. For a short one, the call of an encoder takes longer. */
const shortText = 64

/** A growing array of bytes. Takes no view of a short one: engines keep it without a buffer, until somebody asks for that. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #length = 0

  /** `capacity`: the bytes for which there is room at first. */
  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  writeByte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = byte
  }

  /** Writes text without lone surrogates whose UTF-8 takes `bytes`. */
  writeText(text: string, bytes: number): void {
    this.#reserve(bytes)
    if (bytes > shortText || bytes !== text.length) this.#bytes.set(encoder.encode(text), this.#length)
    else for (let at = 0; at < bytes; at++) this.#bytes[this.#length + at] = text.charCodeAt(at)
    this.#length += bytes
  }

  /** Writes everything that another writer has. */
  writeAll(other: ByteWriter): void {
    const length = other.#length
    this.#reserve(length)
    if (length > shortText) this.#bytes.set(other.#bytes.subarray(0, length), this.#length)
    else for (let at = 0; at < length; at++) this.#bytes[this.#length + at] = other.#bytes[at] ?? 0
    this.#length += length
  }

  /** Writes a safe integer, 0 or more, as LEB128. Divides, because shifts would cut the number to 32 bits. */
  writeVarint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.writeByte((rest % 0x80) + 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.writeByte(rest)
  }

  /** Writes a safe integer as zig-zag LEB128, without doubling it beyond the safe integers. */
  writeSignedVarint(value: number): void {
    const sign = value < 0 ? 1 : 0
    const magnitude = value < 0 ? -value - 1 : value
    const low = (magnitude % 0x40) * 2 + sign
    if (magnitude < 0x40) {
      this.writeByte(low)
      return
    }
    this.writeByte(low + 0x80)
    this.writeVarint(Math.floor(magnitude / 0x40))
  }

  /** A copy of the bytes written so far, with no more room than they take. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(needed: number): void {
    if (this.#length + needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + needed))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
