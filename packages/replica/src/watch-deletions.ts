import { nullVertexId } from '@t69/protocol'

import type { Replica } from './replica.ts'

/**
 * Calls `listener` with the ids of the vertices that were deleted since its last call, at most once for each delivery of
 * change events. The set is empty if deleted vertices only came back. A call is linear in the deleted vertices; merges
 * that delete nothing cost nothing. Returns a function that stops it.
 *
 *     const stop = watchDeletions(tree, (ids) => showNotice(`${ids.size} deleted`))
 */
export function watchDeletions(replica: Replica, listener: (ids: ReadonlySet<string>) => void): () => void {
  let known = new Set(replica.getChildrenIds(nullVertexId))
  return replica.observe(nullVertexId, (events) => {
    if (!events.some((event) => event.type === 'children')) return
    const now = replica.getChildrenIds(nullVertexId)
    const fresh = new Set(now.filter((id) => !known.has(id)))
    known = new Set(now)
    listener(fresh)
  })
}
