/** A growing array of bytes. */
export class ByteWriter {
  #bytes = new Uint8Array(64)
  #length = 0

  get length(): number {
    return this.#length
  }

  writeByte(byte: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1)
    this.#bytes[this.#length++] = byte
  }

  writeBytes(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
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

  /** A view of the bytes written so far. Later writes may change it. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length)
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + needed))
    grown.set(this.view())
    this.#bytes = grown
  }
}
