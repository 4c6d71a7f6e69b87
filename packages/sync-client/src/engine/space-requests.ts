import {
  decodeBatch,
  encodeBatch,
  errorBodyFrom,
  limits,
  SyncError,
  type Ack,
  type SpaceId,
} from '@t69/protocol'

import type { Link } from '../link/index.ts'
import type { LogRange, Request, SyncEvent } from '../machine/index.ts'

/**
 * Sends a request of the sync machine. `answered` is called once, in the order of the wire, with the event that the
 * machine waits for: the reply, or the refusal. A reply that cannot be read is a refusal. `register`: makes the space on
 * the server, over HTTP.
 */
export function sendRequest(
  spaceId: SpaceId,
  request: Request,
  link: Link,
  register: () => Promise<void>,
  answered: (event: SyncEvent) => void,
): void {
  switch (request.kind) {
    case 'register':
      void register().then(
        () => answered({ type: 'registered' }),
        (error: unknown) => answered(refusal(error)),
      )
      return
    case 'join': {
      const { logId, epoch, cursor } = request.from
      const known = logId === null || epoch === null ? {} : { logId, epoch, cursor }
      link.request('space:join', { spaceId, ...known }, (ack) =>
        answered(eventOf(ack, (reply) => ({ type: 'joined', reply }))),
      )
      return
    }
    case 'pull': {
      const { after, maxBytes } = request
      const page = { spaceId, after, ...(maxBytes < limits.batchBudgetBytes && { maxBytes }) }
      link.request('ops:pull', page, (ack) =>
        answered(
          eventOf(ack, (reply) => ({
            type: 'pulled',
            range: logRangeOf(spaceId, reply),
            head: reply.head,
          })),
        ),
      )
      return
    }
    case 'push': {
      let batch: ReturnType<typeof encodeBatch>
      try {
        batch = encodeBatch({ spaceId, ops: request.ops })
      } catch (error) {
        return answered(refusal(error))
      }
      link.request('ops:push', { spaceId, batch }, (ack) =>
        answered(eventOf(ack, (reply) => ({ type: 'pushed', ack: reply }))),
      )
    }
  }
}

const refusal = (error: unknown): SyncEvent => ({ type: 'refused', error: errorBodyFrom(error) })

function eventOf<Reply>(ack: Ack<Reply>, read: (reply: Reply) => SyncEvent): SyncEvent {
  if (!ack.ok) return { type: 'refused', error: ack.error }
  try {
    return read(ack)
  } catch (error) {
    return refusal(error)
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
