import { createSubscriber } from 'svelte/reactivity'

import type { Tree, Visit } from '../model/tree.ts'

/**
 * Turns a tree's observers into Svelte's signals. An effect, a derived value or a template that calls these runs
 * again when the tree changes; the replica gathers changes that follow each other into ticks of 33 ms. Elsewhere they watch nothing.
 */

type Subscribe = () => void

const byVertex = new WeakMap<Tree, Map<string, Subscribe>>()

/** Depends on everything about one vertex: its properties (transient ones too), its parent and its children. */
export function watchVertex(tree: Tree, vertexId: string): void {
  const subscribers = byVertex.get(tree) ?? new Map<string, Subscribe>()
  byVertex.set(tree, subscribers)
  const subscribe =
    subscribers.get(vertexId) ??
    createSubscriber((update) => {
      const stop = tree.observe(vertexId, update)
      return () => {
        stop()
        subscribers.delete(vertexId)
      }
    })
  subscribers.set(vertexId, subscribe)
  subscribe()
}

/**
 * Returns a function that calls `read`, and depends on the children of all vertices that `read` visits and on their
 * stored properties, not on transient ones, which change with every chunk of a streaming reply. It is one signal for
 * however many vertices: a long chat has thousands. Every move counts, also of a vertex that was not visited: it may
 * have brought something to where `read` would visit it, or be the first one of a tree that is still arriving. The root,
 * whose id is `treeId`, is watched before it exists.
 */
export function createTreeReader<T>(tree: Tree, treeId: string, read: (visit: Visit) => T): () => T {
  let stops = new Map<string, () => void>()
  let notify: (() => void) | undefined

  const observe = (vertexId: string) =>
    tree.observe(vertexId, (events) => {
      if (vertexId === treeId || events.some((event) => event.type === 'children')) notify?.()
    })
  const subscribe = createSubscriber((update) => {
    notify = update
    const stopMoves = tree.observeVertexMove(update)
    return () => {
      stopMoves()
      notify = undefined
      for (const stop of stops.values()) stop()
      stops = new Map()
    }
  })

  return () => {
    subscribe()
    const kept = new Map<string, () => void>()
    const visit = (vertexId: string) => {
      if (!kept.has(vertexId)) kept.set(vertexId, stops.get(vertexId) ?? observe(vertexId))
    }
    visit(treeId)
    const result = read(visit)
    for (const [vertexId, stop] of stops) if (!kept.has(vertexId)) stop()
    stops = kept
    return result
  }
}
