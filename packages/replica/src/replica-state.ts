import { nullVertexId } from '@t69/protocol'
import type { MoveVertex, OpId, SetVertexProperty, VertexChangeEvent, VertexOperation } from 'reptree'

import { ChangeFeed } from './change-feed.ts'
import { MoveLog } from './move-log.ts'
import { compareOpIds, sortById } from './op-order.ts'
import { printTree } from './print-tree.ts'
import { VertexNode, type Transient } from './vertex-node.ts'

/** A vertex that a move took out of view, and where it was before that move. */
export interface DeletedVertex {
  readonly id: string
  /** The move to the null vertex that put it there. */
  readonly deletedBy: OpId
  readonly parentId: string
  /** The move that had put it under `parentId`: its place among the siblings (`getChildrenIds`). */
  readonly placedBy: OpId
}

/**
 * The vertices of a replica. Stands where RepTree has its `TreeState`, and answers the same calls; but
 * changes come as sets of operations, not one by one.
 */
export class ReplicaState {
  readonly changes: ChangeFeed
  readonly #nodes = new Map<string, VertexNode>()
  readonly #moves = new MoveLog()
  #firstRoot: MoveVertex | undefined

  constructor(run: (listener: () => void) => void) {
    this.changes = new ChangeFeed((id) => this.getVertex(id), run)
    this.#node(nullVertexId)
  }

  /** The vertex that the first move without a parent made, the null vertex aside. */
  get firstRootId(): string | undefined {
    return this.#firstRoot?.targetId
  }

  moveOps(): MoveVertex[] {
    return this.#moves.ops()
  }

  /** Adds moves that are not known yet. Sorts `ops`. */
  addMoves(ops: MoveVertex[]): void {
    const records = sortById(ops, (op) => op.id).map((op) => ({
      op,
      target: this.#node(op.targetId),
      parent: op.parentId === null ? null : this.#node(op.parentId),
      before: undefined,
      applied: false,
      waits: false,
    }))
    const root = ops.find((op) => op.parentId === null && op.targetId !== nullVertexId)
    if (root !== undefined && (this.#firstRoot === undefined || isOlder(root, this.#firstRoot))) {
      this.#firstRoot = root
    }
    for (const node of this.#moves.insert(records)) this.#settle(node)
  }

  /** Adds a property operation that is not known yet. */
  addProperty(op: SetVertexProperty): void {
    const node = this.#node(op.targetId)
    const won = node.write(op)
    const transient = node.transients?.get(op.key)
    const isOver = transient !== undefined && !outlives(transient, op)
    if (isOver) node.hideTransient(op.key)
    if (won || isOver) this.#propertyChanged(node, op.key)
    if (won && op.key === '_c' && node.settled?.parent) node.settled.parent.dateOrder = undefined
  }

  /** Shows a transient operation, unless its vertex is unknown or a later one is shown. */
  showTransientOp(op: SetVertexProperty): void {
    const node = this.getVertex(op.targetId)
    if (node === undefined) return
    const by = node.transients?.get(op.key)?.by
    if (by !== undefined && 'id' in by && !isOlder(by, op)) return
    if (op.value === undefined) node.hideTransient(op.key)
    else node.showTransient(op.key, op.value, op)
    this.#propertyChanged(node, op.key)
  }

  showTransient(vertexId: string, key: string, value: SetVertexProperty['value'], by?: OpId): void {
    const node = this.getVertex(vertexId)
    if (node === undefined) return
    if (value === undefined) node.hideTransient(key)
    else node.showTransient(key, value, by)
    this.#propertyChanged(node, key)
  }

  getVertex(id: string): VertexNode | undefined {
    const node = this.#nodes.get(id)
    return node?.settled === undefined ? undefined : node
  }

  /** The null vertex, then the others in the order in which they were made. */
  getAllVertices(): VertexNode[] {
    const born: { node: VertexNode; id: MoveVertex['id'] }[] = []
    for (const node of this.#nodes.values()) {
      if (node.born !== undefined) born.push({ node, id: node.born.op.id })
    }
    return sortById(born, ({ id }) => id).map(({ node }) => node)
  }

  getChildrenIds(vertexId: string): string[] {
    return this.getVertex(vertexId)?.children ?? []
  }

  getChildren(vertexId: string): readonly VertexNode[] {
    return this.getVertex(vertexId)?.datedChildren() ?? []
  }

  /** What is right below the null vertex, in the order of the moves that put it there. */
  deletedVertices(): DeletedVertex[] {
    const deleted: DeletedVertex[] = []
    for (const node of this.getVertex(nullVertexId)?.orderedChildren() ?? []) {
      const before = node.settled?.before
      if (node.settled === undefined || before === undefined || before.parent === null) continue
      deleted.push({
        id: node.id,
        deletedBy: node.settled.op.id,
        parentId: before.parent.id,
        placedBy: before.op.id,
      })
    }
    return deleted
  }

  printTree(vertexId: string): string {
    return printTree(this, vertexId)
  }

  addChangeCallback(vertexId: string, listener: (events: VertexChangeEvent[]) => void): void {
    this.changes.listen(vertexId, listener)
  }

  removeChangeCallback(vertexId: string, listener: (events: VertexChangeEvent[]) => void): void {
    this.changes.unlisten(vertexId, listener)
  }

  addGlobalChangeCallback(listener: (events: VertexChangeEvent[]) => void): void {
    this.changes.listenEverywhere(listener)
  }

  removeGlobalChangeCallback(listener: (events: VertexChangeEvent[]) => void): void {
    this.changes.unlistenEverywhere(listener)
  }

  dispose(): void {
    this.changes.dispose()
  }

  #node(id: string): VertexNode {
    let node = this.#nodes.get(id)
    if (node === undefined) {
      node = new VertexNode(id)
      this.#nodes.set(id, node)
    }
    return node
  }

  #settle(node: VertexNode): void {
    const { settled, place, settledBorn, born } = node
    node.touched = false
    node.settledBorn = born
    const oldParent = settled?.parent
    const newParent = place?.parent
    if (settled === place) {
      // Among siblings of the same date, the first to be made comes first.
      if (newParent && settledBorn !== born) {
        newParent.dateOrder = undefined
        this.changes.childrenChanged(newParent.id)
      }
      return
    }
    if (oldParent) node.unlinkFrom(oldParent)
    node.settled = place
    if (newParent) node.linkUnder(newParent)
    if (settled === undefined || oldParent !== newParent) {
      this.changes.moved(node.id, settled === undefined ? undefined : (oldParent?.id ?? null))
    }
    if (oldParent) this.changes.childrenChanged(oldParent.id)
    if (newParent) this.changes.childrenChanged(newParent.id)
  }

  #propertyChanged(node: VertexNode, key: string): void {
    this.changes.propertyChanged(node.id, key)
    if (node.settled?.parent) this.changes.childrenChanged(node.settled.parent.id)
  }
}

/** What was made elsewhere is over with whatever is written, but for what the same peer wrote before it. */
function outlives({ by }: Transient, op: SetVertexProperty): boolean {
  if (by === undefined) return false
  if ('id' in by) return isOlder(op, by)
  return by.peerId === op.id.peerId && by.counter > op.id.counter
}

function isOlder(a: VertexOperation, b: VertexOperation): boolean {
  return compareOpIds(a.id, b.id) < 0
}
