import { randomHexId } from '@t69/protocol'
import type { MoveVertex, RepTree, SetVertexProperty, Vertex, VertexOperation } from 'reptree'

import type { ReplicaState } from './replica-state.ts'
import type { VertexNode } from './vertex-node.ts'

/**
 * The internals of RepTree that `Replica` uses. They are private to TypeScript only. reptree is pinned to the version
 * that has them, and `rep-tree-internals.test.ts` fails if a new version has others.
 */
export interface RepTreeInternals {
  lamportClock: number
  /** RepTree's own code reads vertices and registers listeners here. */
  state: Pick<
    ReplicaState,
    | 'addChangeCallback'
    | 'addGlobalChangeCallback'
    | 'dispose'
    | 'getAllVertices'
    | 'getChildren'
    | 'getChildrenIds'
    | 'getVertex'
    | 'printTree'
    | 'removeChangeCallback'
    | 'removeGlobalChangeCallback'
  >
  localOps: VertexOperation[]
  opAppliedCallbacks: ((op: VertexOperation) => void)[]
  moveOps: MoveVertex[]
  setPropertyOps: SetVertexProperty[]
  readonly knownOps: Set<string>
  readonly propertiesAndTheirOpIds: Map<string, unknown>
  readonly parentIdBeforeMove: Map<unknown, unknown>
  /** Called with each local move once it is in `localOps`. */
  applyMove(op: MoveVertex): void
  /** Called with each local property operation once it is in `localOps`. */
  applyProperty(op: SetVertexProperty): void
  /** Creates a vertex and its creation date. Returns its id. */
  newVertexInternal(vertexId: string, parentId: string | null): string
  newVertexInternalWithUUID(parentId: string | null): string
}

/** The only place where a RepTree is cast to what it is at run time. */
export function internalsOf(tree: RepTree): RepTreeInternals {
  return tree as unknown as RepTreeInternals
}

type VertexState = ConstructorParameters<typeof Vertex>[1]

/** A node as the state behind a `Vertex`. RepTree's own class has the same methods, and keeps properties otherwise. */
export function vertexStateOf(node: VertexNode): VertexState {
  return node as unknown as VertexState
}

/** The node behind a vertex of a replica. */
export function nodeOf(vertex: Vertex): VertexNode {
  return (vertex as unknown as { readonly state: VertexNode }).state
}

/**
 * Gives a new RepTree another state, and drops everything that its constructor made: the state, the operations for
 * the null vertex, the clock. From then on its own code reads vertices from `state` and hands each local edit to
 * `applyLocal`, once it is in `localOps`.
 */
export function replaceInternals(
  tree: RepTree,
  state: RepTreeInternals['state'],
  applyLocal: (op: VertexOperation) => void,
): RepTreeInternals {
  const internals = internalsOf(tree)
  internals.state.dispose()
  internals.state = state
  internals.lamportClock = 0
  internals.localOps = []
  internals.moveOps = []
  internals.setPropertyOps = []
  internals.knownOps.clear()
  internals.propertiesAndTheirOpIds.clear()
  internals.parentIdBeforeMove.clear()
  // RepTree calls crypto.randomUUID, which browsers have on https and localhost only.
  internals.newVertexInternalWithUUID = (parentId) => internals.newVertexInternal(randomHexId(), parentId)
  internals.applyMove = applyLocal
  internals.applyProperty = applyLocal
  return internals
}
