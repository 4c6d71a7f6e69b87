import { ByteWriter } from './byte-writer.ts'

/** Ids or keys in the order of their first use, each written once. */
export class Dictionary {
  readonly #indices = new Map<string, number>()
  readonly #entries = new ByteWriter()
  readonly #writeEntry: (writer: ByteWriter, name: string) => void

  constructor(writeEntry: (writer: ByteWriter, name: string) => void) {
    this.#writeEntry = writeEntry
  }

  get size(): number {
    return this.#indices.size
  }

  get entryBytes(): number {
    return this.#entries.length
  }

  /** The index of `name`. A new name is added, and its index is the size before the call. */
  indexOf(name: string): number {
    const known = this.#indices.get(name)
    if (known !== undefined) return known
    const index = this.#indices.size
    this.#indices.set(name, index)
    this.#writeEntry(this.#entries, name)
    return index
  }

  writeTo(writer: ByteWriter): void {
    writer.writeVarint(this.size)
    writer.writeAll(this.#entries)
  }
}
