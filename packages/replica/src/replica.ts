import type { JsonValue } from '@t69/protocol'
import { RepTree, type VertexOperation } from 'reptree'

/**
 * A RepTree whose state is a function of the set of operations merged into it, whatever their order.
 * Its API is RepTree's own, plus this.
 */
export class Replica extends RepTree {
  /** An empty replica with a fresh peer id, or one that shows `ops` (any order, any subset of a log). */
  constructor(options: { peerId?: string; ops?: readonly VertexOperation[] } = {}) {
    super(options.peerId ?? 'x')
    void options.ops
  }

  /** A tree that is new: null vertex, root with id `treeId`, and the ops for it among the local ones. */
  static create(_treeId: string, _options: { peerId?: string } = {}): Replica {
    throw new Error('not yet')
  }

  /** Called once per edit made through this replica's own API, in order, transient ones included; never for merged ones. */
  onLocalOp(_listener: (op: VertexOperation) => void): () => void {
    throw new Error('not yet')
  }

  /** Shows a value on top of the stored one, or takes it away (undefined). No operation, no clock. */
  showTransient(_vertexId: string, _key: string, _value: JsonValue | undefined): void {
    throw new Error('not yet')
  }

  /** 32 hex digits over structure and properties (no transients): equal state, equal digest. */
  digest(): string {
    throw new Error('not yet')
  }

  /** Delivers change events now instead of at RepTree's next tick of 33 ms. */
  flushEvents(): void {
    throw new Error('not yet')
  }

  /** Stops the timer and lets go of listeners; edits throw afterwards. */
  dispose(): void {
    throw new Error('not yet')
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

export type { JsonPrimitive, Vertex, VertexOperation, VertexChangeEvent, BindedVertex } from 'reptree'
