import { ByteWriter } from './byte-writer.ts'

/** A column of numbers whose neighbours are often equal. A run is written as its number and its length minus one. */
export class RunColumn {
  readonly #writer = new ByteWriter()
  readonly #writeValue: (writer: ByteWriter, value: number) => void
  #value = 0
  #length = 0

  constructor(writeValue: (writer: ByteWriter, value: number) => void) {
    this.#writeValue = writeValue
  }

  push(value: number): void {
    if (this.#length > 0 && value !== this.#value) this.#endRun()
    this.#value = value
    this.#length++
  }

  /** The bytes written so far, without the open run. */
  get closedBytes(): number {
    return this.#writer.length
  }

  writeTo(writer: ByteWriter): void {
    if (this.#length > 0) this.#endRun()
    writer.writeAll(this.#writer)
  }

  #endRun(): void {
    this.#writeValue(this.#writer, this.#value)
    this.#writer.writeVarint(this.#length - 1)
    this.#length = 0
  }
}
