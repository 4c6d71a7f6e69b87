import { nullVertexId } from '@t69/protocol'
import type { MoveVertex } from 'reptree'

import { OpHeap } from './op-heap.ts'
import { compareOpIds } from './op-order.ts'
import { attach, detach, isBelow } from './path-forest.ts'
import type { MoveRecord, VertexNode } from './vertex-node.ts'

/** Most trees are shallower than this, and there a climb is the cheapest answer. Chats are not. */
const maxClimb = 32

/**
 * The log of moves and the tree that it makes: the move algorithm of Kleppmann et al., "A highly-available
 * move operation for replicated trees" (2021). The tree is what comes of taking all moves in the order of
 * their ids, where a move has no effect if
 *
 * - it moves the null vertex, which is always there,
 * - its parent does not exist at that point in the order,
 * - or its target is the parent, or above it.
 *
 * So the tree is a function of the set of moves. An insertion undoes and redoes what follows it, unless it
 * only moves vertices that did not exist: these cannot be above any other, so nobody else's move changes.
 */
export class MoveLog {
  /** Moves decided and undone, and steps climbed, since the start: what the tests of its cost count. */
  work = 0
  readonly #records: MoveRecord[] = []
  #touched: VertexNode[] = []

  /** In the order of their ids. */
  ops(): MoveVertex[] {
    return this.#records.map((record) => record.op)
  }

  /** Adds moves that are not in the log yet, sorted by id. Returns the vertices that may have a new place. */
  insert(fresh: readonly MoveRecord[]): readonly VertexNode[] {
    const first = fresh[0]
    if (first === undefined) return []
    const from = this.#positionAfter(first)
    if (from === this.#records.length) {
      for (const record of fresh) {
        this.#records.push(record)
        this.#decide(record)
      }
    } else {
      this.#splice(from, fresh)
      if (!this.#add(fresh)) {
        this.#undoFrom(from)
        this.#redoFrom(from)
      }
    }
    const touched = this.#touched
    this.#touched = []
    return touched
  }

  /**
   * Decides moves of vertices that do not exist, and those that waited for one of these vertices, in order.
   * Returns false, in the middle, once one of them moves a vertex that was there before.
   */
  #add(fresh: readonly MoveRecord[]): boolean {
    const woken = new OpHeap()
    const born = new Set<VertexNode>()
    let next = 0
    for (;;) {
      const old = woken.first()
      const added = fresh[next]
      const record = old === undefined || (added !== undefined && precedes(added, old)) ? added : woken.pop()
      if (record === undefined) return true
      if (record === added) next++
      const { target } = record
      const exists = target.place !== undefined
      if (exists && !born.has(target) && target.id !== nullVertexId) return false
      this.#decide(record)
      if (exists || target.place === undefined) continue
      born.add(target)
      for (const waiting of target.waiting ?? []) if (precedes(record, waiting)) woken.push(waiting)
    }
  }

  #positionAfter(record: MoveRecord): number {
    let low = 0
    let high = this.#records.length
    const last = this.#records[high - 1]
    if (last === undefined || precedes(last, record)) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#records[middle]
      if (other !== undefined && precedes(other, record)) low = middle + 1
      else high = middle
    }
    return low
  }

  #splice(from: number, fresh: readonly MoveRecord[]): void {
    const [only] = fresh
    if (fresh.length === 1 && only !== undefined) {
      this.#records.splice(from, 0, only)
      return
    }
    const tail = this.#records.splice(from)
    let next = 0
    for (const record of fresh) {
      for (let other = tail[next]; other !== undefined && precedes(other, record); other = tail[++next]) {
        this.#records.push(other)
      }
      this.#records.push(record)
    }
    for (let other = tail[next]; other !== undefined; other = tail[++next]) this.#records.push(other)
  }

  #undoFrom(from: number): void {
    for (let index = this.#records.length - 1; index >= from; index--) {
      const record = this.#records[index]
      if (record !== undefined && record.applied) this.#undo(record)
    }
  }

  #redoFrom(from: number): void {
    for (let index = from; index < this.#records.length; index++) {
      const record = this.#records[index]
      if (record !== undefined) this.#decide(record)
    }
  }

  #undo(record: MoveRecord): void {
    const { target, parent, before } = record
    this.work++
    record.applied = false
    record.before = undefined
    target.place = before
    if (before === undefined) target.born = undefined
    if (parent !== null) leave(target, parent)
    if (before !== undefined && before.parent !== null) enter(target, before.parent)
    this.#touch(target)
  }

  #decide(record: MoveRecord): void {
    this.work++
    if (!this.#hasEffect(record)) return
    const { target, parent } = record
    const before = target.place
    record.applied = true
    record.before = before
    target.place = record
    if (before === undefined) target.born = record
    else if (before.parent !== null) leave(target, before.parent)
    if (parent !== null) enter(target, parent)
    this.#touch(target)
  }

  #hasEffect(record: MoveRecord): boolean {
    const { target, parent } = record
    if (target.id === nullVertexId || parent === target) return false
    // Staying where it is keeps its place among the siblings.
    if (target.place !== undefined && target.place.parent === parent) return false
    if (parent === null) return true
    if (parent.born === undefined || !precedes(parent.born, record)) {
      if (!record.waits) {
        record.waits = true
        parent.waiting ??= []
        parent.waiting.push(record)
      }
      return false
    }
    return target.childCount === 0 || !this.#isAbove(target, parent)
  }

  #isAbove(ancestor: VertexNode, node: VertexNode): boolean {
    let steps = 0
    for (let above = node.place?.parent; above; above = above.place?.parent) {
      this.work++
      if (above === ancestor) return true
      if (++steps === maxClimb) return isBelow(above, ancestor)
    }
    return false
  }

  #touch(node: VertexNode): void {
    if (node.touched) return
    node.touched = true
    this.#touched.push(node)
  }
}

function enter(node: VertexNode, parent: VertexNode): void {
  parent.childCount++
  attach(node, parent)
}

function leave(node: VertexNode, parent: VertexNode): void {
  parent.childCount--
  detach(node)
}

function precedes(a: MoveRecord, b: MoveRecord): boolean {
  return compareOpIds(a.op.id, b.op.id) < 0
}
