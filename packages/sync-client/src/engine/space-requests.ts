import { decodeBatch, encodeBatch, limits, SyncError, type SpaceId } from '@t69/protocol'

import type { Link } from '../link/index.ts'
import type { LogRange, Request, SyncEvent } from '../machine/index.ts'

/**
 * Sends a request of the sync machine. Returns the reply, or the refusal, as the event that the machine waits for.
 * Rejects where a reply cannot be read. `register`: makes the space on the server, over HTTP.
 */
export async function sendRequest(
  spaceId: SpaceId,
  request: Request,
  link: Link,
  register: () => Promise<void>,
): Promise<SyncEvent> {
  switch (request.kind) {
    case 'register':
      await register()
      return { type: 'registered' }
    case 'join': {
      const { logId, epoch, cursor } = request.from
      const known = logId === null || epoch === null ? {} : { logId, epoch, cursor }
      const ack = await link.request('space:join', { spaceId, ...known })
      return ack.ok ? { type: 'joined', reply: ack } : { type: 'refused', error: ack.error }
    }
    case 'pull': {
      const { after, maxBytes } = request
      const ack = await link.request('ops:pull', {
        spaceId,
        after,
        ...(maxBytes < limits.batchBudgetBytes && { maxBytes }),
      })
      if (!ack.ok) return { type: 'refused', error: ack.error }
      return { type: 'pulled', range: logRangeOf(spaceId, ack), head: ack.head }
    }
    case 'push': {
      const batch = encodeBatch({ spaceId, ops: request.ops })
      const ack = await link.request('ops:push', { spaceId, batch })
      return ack.ok ? { type: 'pushed', ack } : { type: 'refused', error: ack.error }
    }
  }
}

/** Decodes a page or an append. Throws what `decodeBatch` throws, and `internal` for the batch of another space. */
export function logRangeOf(
  spaceId: SpaceId,
  page: Omit<LogRange, 'ops'> & { readonly batch: Uint8Array },
): LogRange {
  const { logId, epoch, after, cursor, batch } = page
  const decoded = decodeBatch(batch)
  if (decoded.spaceId !== spaceId) throw new SyncError('internal', 'The server sent a batch of another space')
  return { logId, epoch, after, cursor, ops: decoded.ops }
}
