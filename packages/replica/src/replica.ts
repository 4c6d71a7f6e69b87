import { nullVertexId, randomHexId, randomPeerId, type JsonValue } from '@t69/protocol'
import {
  RepTree,
  type MoveVertex,
  type OpId,
  type SetVertexProperty,
  type Vertex,
  type VertexOperation,
} from 'reptree'

import { sameMoves, sameSubtree } from './compare-trees.ts'
import { deepFreeze } from './deep-freeze.ts'
import { differingVertices, digestSteps } from './digest.ts'
import { checkKey, checkMove, jsonCopies, jsonCopy, type Properties } from './edit-checks.ts'
import { KnownOps, missingOps } from './known-ops.ts'
import { LocalOpDelivery } from './local-op-delivery.ts'
import { checkShape, isMoveOp } from './operation-shape.ts'
import { replaceInternals, type RepTreeInternals } from './rep-tree-internals.ts'
import { ReplicaState, type DeletedVertex } from './replica-state.ts'
import { ReplicaVertex } from './replica-vertex.ts'
import { reportListenerError, runListener } from './run-listener.ts'
import type { VertexNode } from './vertex-node.ts'

/**
 * The highest clock at which a tree takes edits. An edit of many properties takes one counter each, so there is
 * room for a million above it. No honest tree comes near.
 */
const maxClock = Number.MAX_SAFE_INTEGER - 1_000_000

/** Where there is no `Symbol.dispose`, as in Safari, a symbol of our own: the method must not be named "undefined". */
// oxlint-disable-next-line eslint/no-restricted-properties
const disposeKey: typeof Symbol.dispose = Symbol.dispose ?? Symbol('dispose')

type OpListener = (op: VertexOperation) => void

export interface ReplicaOptions {
  /**
   * The peer id of this replica's edits. By default a new random one. Never pass one that was used before, by this
   * replica or another: two operations would get the same id.
   */
  peerId?: string
  /** Operations to start with: any subset of a log, in any order. */
  ops?: readonly VertexOperation[]
  /** The id of the root. Without it, the root is the vertex that the first move without a parent created. */
  treeId?: string
  /** Gets the errors that listeners throw. By default they are reported as uncaught (`reportError`) or logged. */
  onListenerError?: (error: unknown) => void
}

/**
 * A RepTree whose state is a function of the set of operations merged into it, whatever their order. It has
 * RepTree's API, and the methods below.
 *
 * A local edit that the server would refuse throws before it changes anything: an unknown vertex or parent, a move
 * of the root or of a vertex below itself, a key or a value that JSON or the protocol cannot carry.
 *
 * The values that are read, and those of operations and events, are frozen: to change an object or an array, write a
 * changed copy. Local edits copy the values that they are given; `merge` and `showTransient` freeze them.
 *
 *     const tree = Replica.create(treeId)
 *     tree.onLocalOp((op) => outbox.add(op))
 *     tree.root?.newNamedChild('notes', { done: false })
 *     tree.merge(received)
 */
export class Replica extends RepTree {
  readonly #internals: RepTreeInternals
  readonly #state: ReplicaState
  readonly #known = new KnownOps()
  readonly #treeId: string | undefined
  readonly #run: (listener: () => void) => void
  readonly #localOps: LocalOpDelivery
  /** Every known property operation, in the order of arrival. */
  readonly #propertyOps: SetVertexProperty[] = []
  #isDisposed = false

  /** An empty replica, or one that shows `ops`. Makes no operations of its own. */
  constructor(options: ReplicaOptions = {}) {
    // RepTree makes two operations for the null vertex here, under our peer id. `replaceInternals` drops them.
    super(options.peerId ?? randomPeerId())
    this.#treeId = options.treeId
    const onListenerError = options.onListenerError ?? reportListenerError
    this.#run = (listener) => runListener(listener, onListenerError)
    this.#state = new ReplicaState(this.#run)
    this.#internals = replaceInternals(this, this.#state, (op) => this.#applyLocal(op))
    this.#localOps = new LocalOpDelivery(this.#internals, this.#run)
    if (options.ops !== undefined) this.merge(options.ops)
  }

  /**
   * Creates a new tree: the null vertex, and a root with the id `treeId`. The operations for both are local ones:
   * the first `onLocalOp` listener gets them, or `popLocalOps` returns them.
   */
  static create(treeId: string, options: Pick<ReplicaOptions, 'peerId' | 'onListenerError'> = {}): Replica {
    const replica = new Replica({ ...options, treeId })
    replica.createRoot()
    return replica
  }

  /**
   * Calls `listener` with each operation that this replica's own edits make, transient ones included, in order and
   * after it took effect. Merged operations are not local. While there is no listener, operations are kept, and the
   * next listener gets them at once. Returns a function that removes the listener.
   */
  onLocalOp(listener: OpListener): () => void {
    return this.#localOps.listen(listener)
  }

  /** The local operations since the last call. None while there are `onLocalOp` listeners: they get them instead. */
  override popLocalOps(): VertexOperation[] {
    return super.popLocalOps()
  }

  /**
   * Adds operations in any order. Known ones are skipped, and of two with one id the first stays. Listeners are called
   * once the whole merge has taken effect. Throws a `TypeError` that names a malformed operation, and changes nothing.
   */
  override merge(ops: readonly VertexOperation[]): void {
    this.#assertLive()
    for (const op of ops) checkShape(op)
    const moves: MoveVertex[] = []
    const properties: SetVertexProperty[] = []
    let clock = this.#internals.lamportClock
    for (const op of ops) {
      if (isMoveOp(op)) {
        if (!this.#known.add(op.id)) continue
        moves.push(op)
      } else {
        if (!op.transient && !this.#known.add(op.id)) continue
        properties.push(op)
      }
      if (op.id.counter > clock) clock = op.id.counter
    }
    this.#internals.lamportClock = clock
    this.#state.addMoves(moves)
    for (const op of properties) this.#addProperty(op)
    this.#reportApplied(moves)
    this.#reportApplied(properties)
  }

  /**
   * Calls `callback` once with each operation, merged or local, after it took effect. An operation that waits for an
   * unknown vertex is reported when it arrives.
   */
  override observeOpApplied(callback: OpListener): () => void {
    return super.observeOpApplied(callback)
  }

  /**
   * Shows a value on top of the stored one, or, with `undefined`, the stored one again. This makes no operation. The
   * next operation that writes the property ends it. `by` is the id of the change on the replica that made it: earlier
   * operations of that peer may still arrive, and do not end it.
   *
   *     tree.showTransient(vertexId, 'text', 'a reply as it streams in', { counter: 41, peerId })
   */
  showTransient(vertexId: string, key: string, value: JsonValue | undefined, by?: OpId): void {
    this.#assertLive()
    deepFreeze(value)
    this.#state.showTransient(vertexId, key, value, by)
  }

  /** 32 hex digits of the structure and the stored properties. Equal states have equal digests. */
  digest(): string {
    const steps = this.digestSteps()
    let step = steps.next()
    while (step.done !== true) step = steps.next()
    return step.value
  }

  /**
   * Computes `digest()` in steps of about a millisecond. The result is wrong if the tree changes in between.
   *
   *     const steps = tree.digestSteps()
   *     let step = steps.next()
   *     while (step.done !== true) {
   *       await nextTurn()
   *       step = steps.next()
   *     }
   *     return step.value
   */
  digestSteps(): Generator<undefined, string> {
    return digestSteps(this.#roots())
  }

  /** The ids of all vertices that make the digests of two replicas differ, in no particular order. */
  differencesFrom(other: Replica): string[] {
    return differingVertices(this.#roots(), other.#roots())
  }

  #roots() {
    return this.#state.getAllVertices().filter((node) => node.parentId === null)
  }

  /** Delivers change events now. Otherwise they come in the next turn, or 33 ms after the last ones. */
  flushEvents(): void {
    this.#state.changes.deliver()
  }

  /** Stops the timer and removes all listeners. The tree can still be read; edits and merges throw. */
  dispose(): void {
    this.#isDisposed = true
    this.#localOps.dispose()
    this.#internals.opAppliedCallbacks = []
    this.#state.dispose()
  }

  [disposeKey](): void {
    this.dispose()
  }

  override get root(): Vertex | undefined {
    const id = this.#rootId()
    return id === undefined ? undefined : this.getVertex(id)
  }

  override getVertex(vertexId: string): Vertex | undefined {
    return this.#vertexOf(this.#state.getVertex(vertexId))
  }

  override getAllVertices(): readonly Vertex[] {
    return this.#state.getAllVertices().map((node) => ReplicaVertex.of(this, node))
  }

  override getParent(vertexId: string): Vertex | undefined {
    return this.#vertexOf(this.#state.getVertex(vertexId)?.settled?.parent)
  }

  override getChildren(vertexId: string): Vertex[] {
    return this.#state.getChildren(vertexId).map((node) => ReplicaVertex.of(this, node))
  }

  override getAncestors(vertexId: string): Vertex[] {
    const ancestors: Vertex[] = []
    for (let above = this.getParent(vertexId); above !== undefined; above = this.getParent(above.id)) {
      ancestors.push(above)
    }
    return ancestors
  }

  #vertexOf(node: VertexNode | null | undefined): Vertex | undefined {
    return node ? ReplicaVertex.of(this, node) : undefined
  }

  override replicate(newPeerId: string): Replica {
    return new Replica({
      peerId: newPeerId,
      ops: this.getAllOps(),
      ...(this.#treeId === undefined ? {} : { treeId: this.#treeId }),
    })
  }

  /**
   * The id of the operation that wrote a property's stored value, or removed it; undefined if none has. Of two, the later
   * one in the order of operations has written it. Transient values do not count.
   */
  writerOf(vertexId: string, key: string): OpId | undefined {
    return this.#state.getVertex(vertexId)?.writer(key)?.id
  }

  /** The id of the move that put a vertex where it is; undefined for a vertex that is not known. */
  placerOf(vertexId: string): OpId | undefined {
    return this.#state.getVertex(vertexId)?.settled?.op.id
  }

  /** Every known move in the order of the ids, moves without effect included. */
  override getMoveOps(): readonly MoveVertex[] {
    return this.#state.moveOps()
  }

  /**
   * The deleted vertices (direct children of the null vertex), in the order of the moves that deleted them. Vertices
   * that were created there, or were roots before, are left out: they have no place to return to.
   */
  getDeletedVertices(): readonly DeletedVertex[] {
    return this.#state.deletedVertices()
  }

  /** Every known operation, once: the moves in the order of their ids, then the properties in the order of arrival. */
  override getAllOps(): readonly VertexOperation[] {
    return [...this.getMoveOps(), ...this.#propertyOps]
  }

  /** Creates the root, and the null vertex if the log has none. The root gets the tree's id, if the tree has one. */
  override createRoot(): Vertex {
    this.#assertLive()
    if (this.root !== undefined) throw new Error('Root vertex already exists')
    const hasNullVertex = this.getMoveOps().some((op) => op.targetId === nullVertexId)
    if (!hasNullVertex) this.#internals.newVertexInternal(nullVertexId, null)
    this.#internals.newVertexInternal(this.#treeId ?? randomHexId(), null)
    const root = this.root
    if (root === undefined) throw new Error('The root was not created')
    return root
  }

  override newVertex(parentId: string, props: Properties | null = null): Vertex {
    this.#assertEditable(parentId)
    const vertex = super.newVertex(parentId, props === null ? null : jsonCopies(props))
    return this.getVertex(vertex.id) ?? vertex
  }

  override newNamedVertex(parentId: string, name: string, props: Properties | null = null): Vertex {
    this.#assertEditable(parentId)
    const copy = jsonCopy('name', name)
    if (typeof copy !== 'string') throw new TypeError('A name must be text')
    const vertex = super.newNamedVertex(parentId, copy, props === null ? null : jsonCopies(props))
    return this.getVertex(vertex.id) ?? vertex
  }

  override moveVertex(vertexId: string, parentId: string): void {
    this.#assertEditable(vertexId)
    this.#assertEditable(parentId)
    checkMove(this, vertexId, parentId)
    super.moveVertex(vertexId, parentId)
  }

  override setVertexProperty(vertexId: string, key: string, value: JsonValue | undefined): void {
    // RepTree's constructor calls this for the null vertex, before the fields of this class exist.
    if (!(#state in this)) return
    this.#assertEditable(vertexId)
    checkKey(key)
    super.setVertexProperty(vertexId, key, jsonCopy(key, value))
  }

  override setVertexProperties(vertexId: string, props: Properties): void {
    this.#assertEditable(vertexId)
    super.setVertexProperties(vertexId, jsonCopies(props))
  }

  override setTransientVertexProperty(vertexId: string, key: string, value: JsonValue | undefined): void {
    this.#assertEditable(vertexId)
    checkKey(key)
    super.setTransientVertexProperty(vertexId, key, jsonCopy(key, value))
  }

  override commitTransients(vertexId: string): void {
    const shown = this.#state.getVertex(vertexId)?.getTransientProperties() ?? []
    if (shown.length === 0) return
    // The operations end the transient values.
    this.setVertexProperties(vertexId, Object.fromEntries(shown.map(({ key, value }) => [key, value])))
  }

  override getVertexByPath(path: string): Vertex | undefined {
    let vertex = this.root
    for (const name of path.replace(/^\/+/, '').replace(/\/+$/, '').split('/')) {
      vertex = vertex?.children.find((child) => child.getProperty('name') === name)
    }
    return vertex
  }

  override printTree(): string {
    const id = this.#rootId()
    return id === undefined ? '' : this.#state.printTree(id)
  }

  override compareStructure(other: RepTree): boolean {
    const root = this.root
    if (root?.id !== other.root?.id) return false
    return root === undefined || sameSubtree(root.id, this, other)
  }

  override compareMoveOps(other: RepTree): boolean {
    return sameMoves(this, other)
  }

  /** Computed from the operations on each call: a replica keeps no vector. */
  override getStateVector(): Readonly<Record<string, number[][]>> | null {
    return this.stateVectorEnabled ? this.#known.toRanges() : null
  }

  override getMissingOps(theirStateVector: Record<string, number[][]>): VertexOperation[] {
    return missingOps(this.getAllOps(), theirStateVector)
  }

  #rootId(): string | undefined {
    return this.#treeId ?? this.#state.firstRootId
  }

  #applyLocal(op: VertexOperation): void {
    if (!('transient' in op && op.transient)) this.#known.add(op.id)
    if (isMoveOp(op)) this.#state.addMoves([op])
    else this.#addProperty(op)
    this.#reportApplied([op])
    this.#localOps.deliver()
  }

  #addProperty(op: SetVertexProperty): void {
    deepFreeze(op.value)
    if (op.transient) {
      this.#state.showTransientOp(op)
      return
    }
    this.#propertyOps.push(op)
    this.#state.addProperty(op)
  }

  #reportApplied(ops: readonly VertexOperation[]): void {
    for (const callback of this.#internals.opAppliedCallbacks.slice()) {
      for (const op of ops) this.#run(() => callback(op))
    }
  }

  #assertLive(): void {
    if (this.#isDisposed) throw new Error('This replica is disposed')
  }

  #assertEditable(vertexId: string): void {
    this.#assertLive()
    if (this.#state.getVertex(vertexId) === undefined) throw new Error(`There is no vertex ${vertexId}`)
    if (this.#internals.lamportClock > maxClock) throw new Error('The clock of this tree has run out')
  }
}

export type { DeletedVertex } from './replica-state.ts'
export type { JsonPrimitive, Vertex, VertexOperation, VertexChangeEvent, BindedVertex } from 'reptree'
