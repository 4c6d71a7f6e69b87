import type { VertexOperation } from 'reptree'

import type { RepTreeInternals } from './rep-tree-internals.ts'

type OpListener = (op: VertexOperation) => void

/**
 * Hands each local operation to the listeners, once and in order. RepTree's own code appends operations to `localOps`,
 * where they wait while there is no listener.
 */
export class LocalOpDelivery {
  readonly #tree: RepTreeInternals
  readonly #run: (listener: () => void) => void
  readonly #listeners = new Set<OpListener>()
  #isDelivering = false

  constructor(tree: RepTreeInternals, run: (listener: () => void) => void) {
    this.#tree = tree
    this.#run = run
  }

  listen(listener: OpListener): () => void {
    this.#listeners.add(listener)
    this.deliver()
    return () => this.#listeners.delete(listener)
  }

  /** Delivers in a single loop, so that an edit made by a listener comes after the edit that it answers. */
  deliver(): void {
    if (this.#isDelivering) return
    this.#isDelivering = true
    while (this.#listeners.size > 0 && this.#tree.localOps.length > 0) {
      const ops = this.#tree.localOps
      this.#tree.localOps = []
      let delivered = 0
      for (const op of ops) {
        if (this.#listeners.size === 0) break
        for (const listener of Array.from(this.#listeners)) this.#run(() => listener(op))
        delivered++
      }
      // The last listener was removed during the delivery: the rest waits for the next one.
      if (delivered < ops.length) this.#tree.localOps = [...ops.slice(delivered), ...this.#tree.localOps]
    }
    this.#isDelivering = false
  }

  dispose(): void {
    this.#listeners.clear()
  }
}
