import { nullVertexId } from '@t69/protocol'
import type { JsonValue, MoveVertex, OpId, SetVertexProperty, TreeVertexProperty } from 'reptree'

import { compareOpIds, sortById } from './op-order.ts'
import type { ForestNode } from './path-forest.ts'

/** A move in the log, with everything needed to undo it. */
export interface MoveRecord {
  readonly op: MoveVertex
  readonly target: VertexNode
  readonly parent: VertexNode | null
  /** While this move is applied: the move that had placed the target before. */
  before: MoveRecord | undefined
  /** Whether the move has an effect. It has none with an unknown parent, a cycle, the same parent, or the null vertex. */
  applied: boolean
  /** Whether the move is in `parent.waiting`. */
  waits: boolean
}

/** The number of keys above which a vertex finds its properties by a map. Most vertices have a handful. */
const maxScannedKeys = 12

/** A value shown on top of the stored one. */
export interface Transient {
  readonly value: JsonValue
  /** The transient operation that shows it. For a change made elsewhere, its id there, or undefined if unknown. */
  readonly by: SetVertexProperty | OpId | undefined
}

/**
 * Everything known about one vertex id: its place in the tree, its properties, its children. An id that operations only
 * mention has a node too, which becomes a vertex with its first place. RepTree's own code uses it as the `VertexState`
 * behind a `Vertex`.
 */
export class VertexNode implements ForestNode {
  readonly id: string
  /** The move that put it where it is, or undefined while the vertex does not exist. */
  place: MoveRecord | undefined = undefined
  /** The move that created the vertex. */
  born: MoveRecord | undefined = undefined
  /** `place` after the last completed merge, which the lists of children and the listeners have seen. */
  settled: MoveRecord | undefined = undefined
  /** `born` after the last completed merge. */
  settledBorn: MoveRecord | undefined = undefined
  /** Whether the running merge has touched it, so that it is settled at the end. */
  touched = false
  /** The number of vertices whose `place` is under this one. */
  childCount = 0
  firstChild: VertexNode | undefined = undefined
  previousSibling: VertexNode | undefined = undefined
  nextSibling: VertexNode | undefined = undefined
  /** Its links in the forest of `place.parent`s (path-forest.ts), which answers questions about ancestors. */
  up: ForestNode | undefined = undefined
  left: ForestNode | undefined = undefined
  right: ForestNode | undefined = undefined
  /** The children in the order of the moves that put them here. Cached until they change. */
  childOrder: VertexNode[] | undefined = undefined
  /** The children by creation date. Cached until they or a date change. */
  dateOrder: VertexNode[] | undefined = undefined
  /** The last write of each key, removals included. */
  writers: SetVertexProperty[] = []
  writerIndex: Map<string, number> | undefined = undefined
  /** The transient value of each key that has one. */
  transients: Map<string, Transient> | undefined = undefined
  /** Moves under this vertex that precede its creation in the order of operations. */
  waiting: MoveRecord[] | undefined = undefined

  constructor(id: string) {
    this.id = id
    if (id === nullVertexId) {
      const op: MoveVertex = { id: { counter: 0, peerId: '' }, targetId: id, parentId: null }
      this.place = { op, target: this, parent: null, before: undefined, applied: true, waits: false }
      this.born = this.place
      this.settled = this.place
      this.settledBorn = this.place
    }
  }

  get parentId(): string | null {
    return this.settled?.parent?.id ?? null
  }

  get children(): string[] {
    return this.orderedChildren().map((child) => child.id)
  }

  /** The children in the order of the moves that put them here. The caller must not change the list. */
  orderedChildren(): readonly VertexNode[] {
    if (this.childOrder === undefined) {
      const children: VertexNode[] = []
      for (let child = this.firstChild; child !== undefined; child = child.nextSibling) children.push(child)
      this.childOrder = children.sort(bySettledPlace)
    }
    return this.childOrder
  }

  /**
   * The children by creation date (`_c`), those without one first, then by the move that created them. So a vertex that
   * is deleted and restored is back in its place, even among siblings of the same millisecond.
   */
  datedChildren(): readonly VertexNode[] {
    if (this.dateOrder === undefined) {
      const children = this.orderedChildren()
      // Most messages of a chat are the only child of the one before: reading its date takes long, and would order nothing.
      const isOrdered = children.length < 2
      const dated = children.map((node) => ({ node, createdAt: isOrdered ? 0 : node.#createdAtMs() }))
      dated.sort((a, b) =>
        a.createdAt === b.createdAt ? byBirth(a.node, b.node) : a.createdAt < b.createdAt ? -1 : 1,
      )
      this.dateOrder = dated.map(({ node }) => node)
    }
    return this.dateOrder
  }

  linkUnder(parent: VertexNode): void {
    this.previousSibling = undefined
    this.nextSibling = parent.firstChild
    if (parent.firstChild !== undefined) parent.firstChild.previousSibling = this
    parent.firstChild = this
    const order = parent.childOrder
    const last = order?.at(-1)
    if (order !== undefined && (last === undefined || bySettledPlace(last, this) < 0)) order.push(this)
    else parent.childOrder = undefined
    parent.dateOrder = undefined
  }

  unlinkFrom(parent: VertexNode): void {
    if (this.previousSibling === undefined) parent.firstChild = this.nextSibling
    else this.previousSibling.nextSibling = this.nextSibling
    if (this.nextSibling !== undefined) this.nextSibling.previousSibling = this.previousSibling
    this.previousSibling = undefined
    this.nextSibling = undefined
    parent.childOrder = undefined
    parent.dateOrder = undefined
  }

  writer(key: string): SetVertexProperty | undefined {
    const index = this.#writerPosition(key)
    return index < 0 ? undefined : this.writers[index]
  }

  /** Adds a write: the last one wins. Returns whether `op` is the last. */
  write(op: SetVertexProperty): boolean {
    const index = this.#writerPosition(op.key)
    if (index < 0) {
      this.writers.push(op)
      if (this.writerIndex !== undefined) this.writerIndex.set(op.key, this.writers.length - 1)
      else if (this.writers.length > maxScannedKeys) {
        this.writerIndex = new Map(this.writers.map((writer, position) => [writer.key, position]))
      }
      return true
    }
    const current = this.writers[index]
    if (current !== undefined && compareOpIds(current.id, op.id) >= 0) return false
    this.writers[index] = op
    return true
  }

  showTransient(key: string, value: JsonValue, by: Transient['by']): void {
    this.transients ??= new Map()
    this.transients.set(key, { value, by })
  }

  hideTransient(key: string): void {
    this.transients?.delete(key)
    if (this.transients?.size === 0) this.transients = undefined
  }

  getProperty(key: string, includingTransient = true): JsonValue | undefined {
    const transient = includingTransient ? this.transients?.get(key) : undefined
    return transient === undefined ? this.writer(key)?.value : transient.value
  }

  /** The transient properties, then the stored ones in the order of the operations that wrote them. */
  getAllProperties(includingTransient = true): TreeVertexProperty[] {
    const shown = includingTransient ? this.transients : undefined
    const properties = includingTransient ? this.getTransientProperties() : []
    for (const { key, value } of sortById(this.writers.slice(), (op) => op.id)) {
      // A caller that assigns the properties to an object would change the object's prototype with this key.
      if (value !== undefined && shown?.has(key) !== true && key !== '__proto__')
        properties.push({ key, value })
    }
    return properties
  }

  getTransientProperties(): TreeVertexProperty[] {
    return Array.from(this.transients ?? [], ([key, { value }]) => ({ key, value }))
  }

  #writerPosition(key: string): number {
    if (this.writerIndex !== undefined) return this.writerIndex.get(key) ?? -1
    for (let index = 0; index < this.writers.length; index++) {
      if (this.writers[index]?.key === key) return index
    }
    return -1
  }

  #createdAtMs(): number {
    const date = this.writer('_c')?.value
    if (typeof date === 'string' && isoDate.test(date)) {
      const ms = Date.parse(date)
      if (!Number.isNaN(ms)) return ms
    }
    return Number.NEGATIVE_INFINITY
  }
}

// `Date.parse` also reads other forms, which depend on the engine and the local time zone.
const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

function byBirth(a: VertexNode, b: VertexNode): number {
  return a.born === undefined || b.born === undefined ? 0 : compareOpIds(a.born.op.id, b.born.op.id)
}

function bySettledPlace(a: VertexNode, b: VertexNode): number {
  return a.settled === undefined || b.settled === undefined
    ? 0
    : compareOpIds(a.settled.op.id, b.settled.op.id)
}
