import { nullVertexId } from '@t69/protocol'
import type { MoveVertex, OpId, SetVertexProperty, VertexChangeEvent, VertexOperation } from 'reptree'

import { ChangeFeed } from './change-feed.ts'
import { MoveLog } from './move-log.ts'
import { compareOpIds, sortById } from './op-order.ts'
import { printTree } from './print-tree.ts'
import { VertexNode, type Transient } from './vertex-node.ts'

/** A deleted vertex, and where it was before. */
export interface DeletedVertex {
  readonly id: string
  /** The move to the null vertex that deleted it. */
  readonly deletedBy: OpId
  /** Its parent before. */
  readonly parentId: string
  /** The move that had put it under `parentId`, which determines its place among the siblings (`getChildrenIds`). */
  readonly placedBy: OpId
}

/**
 * The vertices of a replica. It replaces RepTree's `TreeState` and answers the same calls, but takes changes as sets
 * of operations.
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

  /** The vertex that the first move without a parent created, other than the null vertex. */
  get firstRootId(): string | undefined {
    return this.#firstRoot?.targetId
  }

  moveOps(): MoveVertex[] {
    return this.#moves.ops()
  }

  /** Adds moves that are not known yet. Sorts `ops` in place. */
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

  /** Shows a transient operation, unless its vertex is unknown or a later transient operation is shown. */
  showTransientOp(op: SetVertexProperty): void {
    const node = this.getVertex(op.targetId)
    if (node === undefined) return
    const by = node.transients?.get(op.key)?.by
    if (by !== undefined && 'id' in by && !isOlder(by, op)) return
    if (op.value === undefined) node.hideTransient(op.key)
    else node.showTransient(op.key, op.value, op)
    this.#propertyChanged(node, op.key)
  }

  /** Shows a value of a change that was made elsewhere, or, with undefined, the stored value again. */
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

  /** The null vertex, then the others in the order in which they were created. */
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

  /** The direct children of the null vertex that were elsewhere before, in the order of the moves that deleted them. */
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
      // Siblings with the same date are in the order in which they were created.
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

/** Whether a transient value stays when an operation writes its property: if the operation is an earlier one. */
function outlives({ by }: Transient, op: SetVertexProperty): boolean {
  if (by === undefined) return false
  if ('id' in by) return isOlder(op, by)
  return by.peerId === op.id.peerId && by.counter > op.id.counter
}

function isOlder(a: VertexOperation, b: VertexOperation): boolean {
  return compareOpIds(a.id, b.id) < 0
}
