import { nullVertexId } from '@t69/protocol'

import type { Replica } from './replica.ts'

/**
 * Tells, once a tick, which vertices were deleted since the last time: none when something deleted came
 * back. Costs nothing while nothing is deleted, however much is merged; else once over what is deleted.
 * Returns what stops it.
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
