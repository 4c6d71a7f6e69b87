import { Vertex, type JsonValue } from 'reptree'

import type { Properties } from './edit-checks.ts'
import { nodeOf, vertexStateOf } from './rep-tree-internals.ts'
import type { Replica } from './replica.ts'
import type { VertexNode } from './vertex-node.ts'

/**
 * A vertex that a replica hands out. RepTree's own skips a write of the stored value even where a transient one hides
 * it, and sets several properties one after the other, so that a bad one stops halfway.
 */
export class ReplicaVertex extends Vertex {
  static of(tree: Replica, node: VertexNode): ReplicaVertex {
    return new ReplicaVertex(tree, vertexStateOf(node))
  }

  override setProperty(key: string, value: JsonValue | undefined): void {
    if (this.#isChange(key, value)) this.tree.setVertexProperty(this.id, key, value)
  }

  override setProperties(props: Properties): void {
    const changes = Object.entries(props).filter(([key, value]) => this.#isChange(key, value))
    this.tree.setVertexProperties(this.id, Object.fromEntries(changes))
  }

  /** An object that is the stored one has not changed since: stored values are frozen. */
  #isChange(key: string, value: unknown): boolean {
    const node = nodeOf(this)
    return node.transients?.has(key) === true || node.getProperty(key) !== value
  }
}
