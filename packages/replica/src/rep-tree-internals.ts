import type { MoveVertex, RepTree, SetVertexProperty, VertexOperation } from 'reptree'

import type { ReplicaState } from './replica-state.ts'

/**
 * What `Replica` uses of RepTree's insides. They are private to TypeScript only, and reptree is pinned to
 * the version that has them; `rep-tree-internals.test.ts` fails when a new version has others.
 */
export interface RepTreeInternals {
  lamportClock: number
  /** RepTree's own code reads vertices from here and registers listeners here. */
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
  /** Called with each local edit once it is in `localOps`. */
  applyMove(op: MoveVertex): void
  applyProperty(op: SetVertexProperty): void
  /** Makes a vertex and its creation date. Returns the id. */
  newVertexInternal(vertexId: string, parentId: string | null): string
  newVertexInternalWithUUID(parentId: string | null): string
}

/** The one place where a RepTree is taken for what it is at run time. */
export function internalsOf(tree: RepTree): RepTreeInternals {
  return tree as unknown as RepTreeInternals
}
