import { nullVertexId } from '@t69/protocol'
import type { JsonValue, MoveVertex, OpId, SetVertexProperty, TreeVertexProperty } from 'reptree'

import { compareOpIds } from './op-order.ts'
import type { ForestNode } from './path-forest.ts'

/** A move in the log, with what it takes to undo it. */
export interface MoveRecord {
  readonly op: MoveVertex
  readonly target: VertexNode
  readonly parent: VertexNode | null
  /** Where the target was before, when this move is applied. */
  before: MoveRecord | undefined
  /** False when the move has no effect: unknown parent, cycle, same parent, null vertex. */
  applied: boolean
  /** Whether it is in `parent.waiting`. */
  waits: boolean
}

/** Above this many keys a vertex finds its properties through a map; most vertices have a handful. */
const maxScannedKeys = 12

/** A value that is shown on top of the stored one. */
export interface Transient {
  readonly value: JsonValue
  /** The transient operation that shows it; or, for one made elsewhere, the id that it has there, where it is known. */
  readonly by: SetVertexProperty | OpId | undefined
}

/**
 * What is known of one vertex id: its place in the tree, its properties, its children. Also there for
 * an id that operations only mention; it becomes a vertex with its first place. To RepTree's own code
 * it is the `VertexState` behind a `Vertex`.
 */
export class VertexNode implements ForestNode {
  readonly id: string
  /** The move that put it where it is; undefined while there is no such vertex. */
  place: MoveRecord | undefined = undefined
  /** The move that made it a vertex. */
  born: MoveRecord | undefined = undefined
  /** `place` as of the last completed merge: the children lists and the listeners know this one. */
  settled: MoveRecord | undefined = undefined
  /** `born` as of then. */
  settledBorn: MoveRecord | undefined = undefined
  /** Whether it is among those to settle. */
  touched = false
  /** How many vertices have their `place` under this one. */
  childCount = 0
  firstChild: VertexNode | undefined = undefined
  previousSibling: VertexNode | undefined = undefined
  nextSibling: VertexNode | undefined = undefined
  /** Its place in the forest of `place.parent`s, for questions about ancestors. */
  up: ForestNode | undefined = undefined
  left: ForestNode | undefined = undefined
  right: ForestNode | undefined = undefined
  /** Children by the move that put them here, until they change. */
  childOrder: VertexNode[] | undefined = undefined
  /** Children by creation date, until they or a date changes. */
  dateOrder: VertexNode[] | undefined = undefined
  /** The last writer of each key, removals included. */
  writers: SetVertexProperty[] = []
  writerIndex: Map<string, number> | undefined = undefined
  /** By key. */
  transients: Map<string, Transient> | undefined = undefined
  /** Moves under this vertex from before it was born, as of the order of operations. */
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

  /** By the id of the move that put each of them here. Not to be changed by the caller. */
  orderedChildren(): readonly VertexNode[] {
    if (this.childOrder === undefined) {
      const children: VertexNode[] = []
      for (let child = this.firstChild; child !== undefined; child = child.nextSibling) children.push(child)
      this.childOrder = children.sort(bySettledPlace)
    }
    return this.childOrder
  }

  /**
   * By creation date (`_c`), those without one first, then by the move that made them a vertex. So one that
   * is deleted and brought back is where it was among its siblings, also among those of the same millisecond.
   */
  datedChildren(): readonly VertexNode[] {
    if (this.dateOrder === undefined) {
      const dated = this.orderedChildren().map((node) => ({ node, createdAt: node.#createdAtMs() }))
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

  /** Last writer wins. True when `op` is it. */
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

  hideTransient(key: string): boolean {
    const hidden = this.transients?.delete(key) ?? false
    if (this.transients?.size === 0) this.transients = undefined
    return hidden
  }

  getProperty(key: string, includingTransient = true): JsonValue | undefined {
    const transient = includingTransient ? this.transients?.get(key) : undefined
    return transient === undefined ? this.writer(key)?.value : transient.value
  }

  /** Transient ones first, then the stored ones in the order of the operations that wrote them. */
  getAllProperties(includingTransient = true): TreeVertexProperty[] {
    const properties = includingTransient ? this.getTransientProperties() : []
    const shown = new Set(properties.map(({ key }) => key))
    for (const { key, value } of this.writers.toSorted((a, b) => compareOpIds(a.id, b.id))) {
      // An object that collects properties by assignment would change its prototype with this one.
      if (value !== undefined && !shown.has(key) && key !== '__proto__') properties.push({ key, value })
    }
    return properties
  }

  getTransientProperties(): TreeVertexProperty[] {
    return Array.from(this.transients ?? [], ([key, { value }]) => ({ key, value }))
  }

  clearAllTransientProperties(): void {
    this.transients = undefined
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

// `Date.parse` reads other forms too, each engine its own and in the local time zone.
const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

function byBirth(a: VertexNode, b: VertexNode): number {
  return a.born === undefined || b.born === undefined ? 0 : compareOpIds(a.born.op.id, b.born.op.id)
}

function bySettledPlace(a: VertexNode, b: VertexNode): number {
  return a.settled === undefined || b.settled === undefined
    ? 0
    : compareOpIds(a.settled.op.id, b.settled.op.id)
}
