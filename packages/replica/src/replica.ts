import { nullVertexId, randomHexId, randomPeerId, type JsonValue } from '@t69/protocol'
import {
  RepTree,
  type MoveVertex,
  type OpId,
  type SetVertexProperty,
  type Vertex,
  type VertexOperation,
} from 'reptree'

import { digestSteps, vertexTexts } from './digest.ts'
import { checkKey, jsonCopy } from './edit-checks.ts'
import { KnownOps } from './known-ops.ts'
import { LocalOpDelivery } from './local-op-delivery.ts'
import { compareOpIds } from './op-order.ts'
import { checkShape, isMoveOp } from './operation-shape.ts'
import { internalsOf, type RepTreeInternals } from './rep-tree-internals.ts'
import { ReplicaState, type DeletedVertex } from './replica-state.ts'
import { reportListenerError, runListener } from './run-listener.ts'
import { sameSubtree } from './same-subtree.ts'

type Properties = Record<string, JsonValue | undefined> | object
const maxClock = Number.MAX_SAFE_INTEGER - 1_000_000

type OpListener = (op: VertexOperation) => void

export interface ReplicaOptions {
  /** Never one that was used before, by this replica or another: ids of operations would come twice. */
  peerId?: string
  /** Operations to start with: any order, any subset of a log. */
  ops?: readonly VertexOperation[]
  /** The id of the root. Without it the root is the first vertex that was made without a parent. */
  treeId?: string
  /** Hears what listeners throw. By default it is reported as uncaught (`reportError`), or logged. */
  onListenerError?: (error: unknown) => void
}

/**
 * A RepTree whose state is a function of the set of operations merged into it, whatever their order.
 * Its API is RepTree's own, plus this.
 *
 * Local edits throw before they change anything when the server would refuse them: an unknown vertex or
 * parent, a move of the root or below itself, a key or a value that JSON or the protocol cannot carry.
 */
export class Replica extends RepTree {
  readonly #internals: RepTreeInternals
  readonly #state: ReplicaState
  readonly #known = new KnownOps()
  readonly #treeId: string | undefined
  readonly #run: (listener: () => void) => void
  readonly #localOps: LocalOpDelivery
  /** Every property operation known, in the order of arrival. */
  readonly #propertyOps: SetVertexProperty[] = []
  #isDisposed = false

  /** An empty replica with a fresh peer id, or one that shows `ops` (any order, any subset of a log). */
  constructor(options: ReplicaOptions = {}) {
    // RepTree makes two operations for the null vertex here, under our peer id. They are dropped below.
    super(options.peerId ?? randomPeerId())
    this.#treeId = options.treeId
    const onListenerError = options.onListenerError ?? reportListenerError
    this.#run = (listener) => runListener(listener, onListenerError)
    this.#state = new ReplicaState(this.#run)
    this.#internals = internalsOf(this)
    this.#localOps = new LocalOpDelivery(this.#internals, this.#run)
    this.#internals.state.dispose()
    this.#internals.state = this.#state
    this.#internals.lamportClock = 0
    this.#internals.localOps = []
    this.#internals.moveOps = []
    this.#internals.setPropertyOps = []
    this.#internals.knownOps.clear()
    this.#internals.propertiesAndTheirOpIds.clear()
    this.#internals.parentIdBeforeMove.clear()
    // RepTree asks crypto.randomUUID, which a page has on https and localhost only.
    this.#internals.newVertexInternalWithUUID = (parentId) =>
      this.#internals.newVertexInternal(randomHexId(), parentId)
    this.#internals.applyMove = (op) => this.#applyLocal(op)
    this.#internals.applyProperty = (op) => this.#applyLocal(op)
    if (options.ops !== undefined) this.merge(options.ops)
  }

  /**
   * A tree that is new: null vertex, root with id `treeId`, and the ops for it among the local ones (the
   * first `onLocalOp` listener gets them, or `popLocalOps`).
   */
  static create(treeId: string, options: Pick<ReplicaOptions, 'peerId' | 'onListenerError'> = {}): Replica {
    const replica = new Replica({ ...options, treeId })
    replica.createRoot()
    return replica
  }

  /**
   * Called once per edit made through this replica's own API, after it took effect, in order, transient
   * ones included; never for merged ones. While nobody listens, edits are kept: whoever comes first gets
   * them at once.
   */
  onLocalOp(listener: OpListener): () => void {
    return this.#localOps.listen(listener)
  }

  /** Local operations since the last call. Empty while there are `onLocalOp` listeners, who get them instead. */
  override popLocalOps(): VertexOperation[] {
    return super.popLocalOps()
  }

  /**
   * Adds operations: any order, known ones are skipped, the first of an id stays. The replica changes as a
   * whole, then listeners are called. Throws a TypeError that names a malformed one, and changes nothing.
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

  /** Called with each operation, merged or local, once, after it took effect; with those that wait when they come. */
  override observeOpApplied(callback: OpListener): () => void {
    return super.observeOpApplied(callback)
  }

  /**
   * Shows a value on top of the stored one, or takes it away (undefined). It is no operation. The next one that
   * writes the property takes it away, but not one that the peer of `by`, the id that it has where it was made,
   * made before.
   */
  showTransient(vertexId: string, key: string, value: JsonValue | undefined, by?: OpId): void {
    this.#assertLive()
    this.#state.showTransient(vertexId, key, value, by)
  }

  /** 32 hex digits over structure and properties (no transients): equal state, equal digest. */
  digest(): string {
    const steps = this.digestSteps()
    let step = steps.next()
    while (step.done !== true) step = steps.next()
    return step.value
  }

  /** The same in steps of about a millisecond. An operation that is merged or made in between spoils it. */
  digestSteps(): Generator<undefined, string> {
    return digestSteps(this.#roots())
  }

  /** The ids of the vertices by which the digests of two replicas differ: all of them, in no particular order. */
  differencesFrom(other: Replica): string[] {
    const [own, others] = [vertexTexts(this.#roots()), vertexTexts(other.#roots())]
    const ids = new Set([...own.keys(), ...others.keys()])
    return Array.from(ids).filter((id) => own.get(id) !== others.get(id))
  }

  #roots() {
    return this.#state.getAllVertices().filter((node) => node.parentId === null)
  }

  /** Delivers change events now instead of at RepTree's next tick of 33 ms. */
  flushEvents(): void {
    this.#state.changes.deliver()
  }

  /** Stops the timer and lets go of listeners; edits and merges throw afterwards. */
  dispose(): void {
    this.#isDisposed = true
    this.#localOps.dispose()
    this.#internals.opAppliedCallbacks = []
    this.#state.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  override get root(): Vertex | undefined {
    const id = this.#rootId()
    return id === undefined ? undefined : this.getVertex(id)
  }

  override replicate(newPeerId: string): Replica {
    return new Replica({
      peerId: newPeerId,
      ops: this.getAllOps(),
      ...(this.#treeId === undefined ? {} : { treeId: this.#treeId }),
    })
  }

  /** Every move known, in the order of their ids, those without effect included. */
  override getMoveOps(): readonly MoveVertex[] {
    return this.#state.moveOps()
  }

  /**
   * The vertices that are deleted (right below the null vertex), in the order of the moves that did it. Not
   * those that were made there, or came there as a root: they were nowhere before.
   */
  getDeletedVertices(): readonly DeletedVertex[] {
    return this.#state.deletedVertices()
  }

  /** Every operation known, each once: moves in order, then properties. */
  override getAllOps(): readonly VertexOperation[] {
    return [...this.getMoveOps(), ...this.#propertyOps]
  }

  /** Makes the root, and the null vertex when the log has none. The root's id is the tree's, when it has one. */
  override createRoot(): Vertex {
    this.#assertLive()
    if (this.root !== undefined) throw new Error('Root vertex already exists')
    const hasNullVertex = this.getMoveOps().some((op) => op.targetId === nullVertexId)
    if (!hasNullVertex) this.#internals.newVertexInternal(nullVertexId, null)
    this.#internals.newVertexInternal(this.#treeId ?? randomHexId(), null)
    const root = this.root
    if (root === undefined) throw new Error('The root was not made')
    return root
  }

  override newVertex(parentId: string, props: Properties | null = null): Vertex {
    this.#assertVertex(parentId)
    return super.newVertex(parentId, props === null ? null : checkedCopies(props))
  }

  override newNamedVertex(parentId: string, name: string, props: Properties | null = null): Vertex {
    this.#assertVertex(parentId)
    const copy = jsonCopy('name', name)
    if (typeof copy !== 'string') throw new TypeError('A name is a text')
    return super.newNamedVertex(parentId, copy, props === null ? null : checkedCopies(props))
  }

  override moveVertex(vertexId: string, parentId: string): void {
    this.#assertVertex(vertexId)
    this.#assertVertex(parentId)
    if (vertexId === nullVertexId) throw new Error('The null vertex does not move')
    if (this.getVertex(vertexId)?.parentId === null) throw new Error('The root does not move')
    if (vertexId === parentId || this.isAncestor(parentId, vertexId)) {
      throw new Error(`Vertex ${vertexId} cannot move below itself`)
    }
    super.moveVertex(vertexId, parentId)
  }

  override setVertexProperty(vertexId: string, key: string, value: JsonValue | undefined): void {
    // RepTree's constructor calls this for the null vertex, before this class has anything.
    if (!(#state in this)) return
    this.#assertVertex(vertexId)
    checkKey(key)
    super.setVertexProperty(vertexId, key, jsonCopy(key, value))
  }

  override setVertexProperties(vertexId: string, props: Properties): void {
    this.#assertVertex(vertexId)
    super.setVertexProperties(vertexId, checkedCopies(props))
  }

  override setTransientVertexProperty(vertexId: string, key: string, value: JsonValue | undefined): void {
    this.#assertVertex(vertexId)
    checkKey(key)
    super.setTransientVertexProperty(vertexId, key, jsonCopy(key, value))
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
    const moves = this.getMoveOps()
    const otherMoves = other.getMoveOps()
    return (
      moves.length === otherMoves.length &&
      moves.every((op, index) => {
        const otherOp = otherMoves[index]
        return otherOp !== undefined && compareOpIds(op.id, otherOp.id) === 0
      })
    )
  }

  /** Made from the operations on each call: a replica keeps no vector. */
  override getStateVector(): Readonly<Record<string, number[][]>> | null {
    return this.stateVectorEnabled ? this.#known.toRanges() : null
  }

  override getMissingOps(theirStateVector: Record<string, number[][]>): VertexOperation[] {
    const theirs = new Map(Object.entries(theirStateVector))
    const missing = this.getAllOps().filter(
      ({ id }) =>
        !theirs.get(id.peerId)?.some(([from = 0, to = -1]) => from <= id.counter && id.counter <= to),
    )
    return missing.sort((a, b) => compareOpIds(a.id, b.id))
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

  #assertVertex(vertexId: string): void {
    this.#assertLive()
    if (this.#state.getVertex(vertexId) === undefined) throw new Error(`There is no vertex ${vertexId}`)
    // An edit of many properties takes many counters; nobody gets near this honestly.
    if (this.#internals.lamportClock > maxClock) throw new Error('The clock of this tree has run out')
  }
}

function checkedCopies(props: Properties): Record<string, JsonValue | undefined> {
  const copies: [string, JsonValue | undefined][] = []
  for (const [key, value] of Object.entries(props)) {
    checkKey(key)
    copies.push([key, jsonCopy(key, value)])
  }
  return Object.fromEntries(copies)
}

export type { DeletedVertex } from './replica-state.ts'
export type { JsonPrimitive, Vertex, VertexOperation, VertexChangeEvent, BindedVertex } from 'reptree'
