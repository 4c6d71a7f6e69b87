import type { SpaceId } from '../ids.ts'
import { utf8Length } from '../json-value.ts'
import { isMove, type TreeOperation } from '../operation.ts'
import { batchVersion } from './batch.ts'
import { ByteWriter } from './byte-writer.ts'
import { kindCodes, vertexCodes } from './column-codes.ts'
import { Dictionary } from './dictionary.ts'
import { writeId } from './id-code.ts'
import { RunColumn } from './run-column.ts'

/** An upper bound, in bytes, for the version, the space's id, five counts and three open runs together. */
const envelopeBytes = 128

/** Collects valid operations, column by column. */
export class BatchBuilder {
  readonly #spaceId: SpaceId
  #count = 0
  readonly #peers = new Dictionary(writeId)
  readonly #trees = new Dictionary(writeId)
  readonly #vertices = new Dictionary(writeId)
  readonly #keys = new Dictionary(writeKey)
  readonly #kinds = new ByteWriter()
  readonly #peerRuns = new RunColumn((writer, index) => writer.writeVarint(index))
  readonly #treeRuns = new RunColumn((writer, index) => writer.writeVarint(index))
  readonly #clockRuns = new RunColumn((writer, delta) => writer.writeSignedVarint(delta))
  readonly #vertexRefs = new ByteWriter()
  readonly #valueLengths = new ByteWriter()
  readonly #values: string[] = []
  #valueBytes = 0
  readonly #lastClocks: number[] = []
  #lastTarget = -1
  #lastParent = -1

  constructor(spaceId: SpaceId) {
    this.#spaceId = spaceId
  }

  get count(): number {
    return this.#count
  }

  /** An upper bound for the bytes that `finish` would return now, at most `envelopeBytes` too high. */
  get maxBytes(): number {
    return (
      envelopeBytes +
      this.#peers.entryBytes +
      this.#trees.entryBytes +
      this.#vertices.entryBytes +
      this.#keys.entryBytes +
      this.#kinds.length +
      this.#peerRuns.closedBytes +
      this.#treeRuns.closedBytes +
      this.#clockRuns.closedBytes +
      this.#vertexRefs.length +
      this.#valueLengths.length +
      this.#valueBytes
    )
  }

  /** Adds an operation. `valueText` is its value as JSON, or undefined for a move or a removal. */
  add(op: TreeOperation, valueText: string | undefined): void {
    this.#count++
    this.#peerRuns.push(this.#peers.indexOf(op.peerId))
    const tree = this.#trees.indexOf(op.treeId)
    this.#treeRuns.push(tree)
    this.#clockRuns.push(op.clock - (this.#lastClocks[tree] ?? 0))
    this.#lastClocks[tree] = op.clock
    this.#lastTarget = this.#addVertex(op.targetId, this.#lastTarget)
    if (isMove(op)) this.#addMove(op.parentId)
    else this.#addProperty(op.key, valueText)
  }

  finish(): Uint8Array<ArrayBuffer> {
    const writer = new ByteWriter(this.maxBytes)
    writer.writeByte(batchVersion)
    writeId(writer, this.#spaceId)
    writer.writeVarint(this.#count)
    this.#peers.writeTo(writer)
    this.#trees.writeTo(writer)
    this.#vertices.writeTo(writer)
    this.#keys.writeTo(writer)
    writer.writeAll(this.#kinds)
    this.#peerRuns.writeTo(writer)
    this.#treeRuns.writeTo(writer)
    this.#clockRuns.writeTo(writer)
    writer.writeAll(this.#vertexRefs)
    writer.writeAll(this.#valueLengths)
    writer.writeText(this.#values.join(''), this.#valueBytes)
    // Copy the bytes: a view would keep a larger buffer alive, and structured clones would carry it.
    return writer.toBytes()
  }

  #addMove(parentId: string | null): void {
    if (parentId === null) {
      this.#kinds.writeVarint(kindCodes.rootMove)
      return
    }
    this.#kinds.writeVarint(kindCodes.move)
    this.#lastParent = this.#addVertex(parentId, this.#lastParent)
  }

  #addProperty(key: string, valueText: string | undefined): void {
    const index = this.#keys.indexOf(key)
    if (valueText === undefined) {
      this.#kinds.writeVarint(kindCodes.removal + index * 2)
      return
    }
    this.#kinds.writeVarint(kindCodes.set + index * 2)
    const bytes = utf8Length(valueText)
    this.#valueLengths.writeVarint(bytes)
    this.#values.push(valueText)
    this.#valueBytes += bytes
  }

  #addVertex(id: string, last: number): number {
    const size = this.#vertices.size
    const index = this.#vertices.indexOf(id)
    if (index === last) this.#vertexRefs.writeVarint(vertexCodes.same)
    else if (index === size) this.#vertexRefs.writeVarint(vertexCodes.fresh)
    else this.#vertexRefs.writeVarint(size - 1 - index + vertexCodes.newest)
    return index
  }
}

function writeKey(writer: ByteWriter, key: string): void {
  const bytes = utf8Length(key)
  writer.writeVarint(bytes)
  writer.writeText(key, bytes)
}
