import {
  decodeBatch,
  encodeBatch,
  errorBodyFrom,
  limits,
  SyncError,
  type Ack,
  type Commit,
  type RejectedOp,
  type SpaceId,
  type SpaceIdentity,
  type TreeOperation,
  type UserId,
} from '@t69/protocol'

import type { Link } from '../link/index.ts'
import type { LogRange, Request, SyncEvent } from '../machine/index.ts'
import { attestedRuns, runsOf, type AttestedRun, type KeptSeal } from '../storage/index.ts'

/**
 * Registers the space over HTTP: as one of this device's own, or by its seal. Returns the identity that it has on the
 * server. Repeating it is harmless.
 */
export type Register = (seal: KeptSeal | null) => Promise<SpaceIdentity>

/**
 * Sends a request of the sync machine. `answered` is called once, in the order of the wire, with the event that the
 * machine waits for: the reply, or the refusal. A reply that cannot be read is a refusal. `userId`: whose connection it is.
 */
export function sendRequest(
  spaceId: SpaceId,
  request: Request,
  link: Link,
  { register, userId }: { readonly register: Register; readonly userId: UserId },
  answered: (event: SyncEvent) => void,
): void {
  switch (request.kind) {
    case 'register':
      void register(request.seal).then(
        (identity) => answered({ type: 'registered', identity }),
        (error: unknown) => answered(refusal(error)),
      )
      return
    case 'join': {
      const { identity, logId, epoch, cursor } = request.from
      const { accessId, maxBytes } = request
      const join = {
        spaceId,
        page: pageBounds(maxBytes),
        ...(identity !== null && { identity }),
        ...(accessId !== null && { accessId }),
        ...(logId !== null && epoch !== null && { logId, epoch, cursor }),
      }
      link.request('space:join', join, (ack) =>
        answered(
          eventOf(ack, ({ page, ...reply }) => ({
            type: 'joined',
            reply,
            page: page && logRangeOf(spaceId, { ...reply, ...page }),
          })),
        ),
      )
      return
    }
    case 'pull': {
      const { after, maxBytes } = request
      link.request('ops:pull', { spaceId, after, ...pageBounds(maxBytes) }, (ack) =>
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
      let batch: Uint8Array<ArrayBuffer>
      try {
        batch = request.batch ?? encodeBatch({ spaceId, ops: request.ops })
      } catch (error) {
        return answered(refusal(error))
      }
      link.request('ops:push', { spaceId, batch }, (ack) =>
        answered(
          eventOf(ack, (reply) => ({
            type: 'pushed',
            ack: reply,
            attested: committedBy(userId, request.ops, reply),
          })),
        ),
      )
    }
  }
}

/** A page of the usual size is asked for by saying nothing. */
const pageBounds = (maxBytes: number) => (maxBytes < limits.batchBudgetBytes ? { maxBytes } : {})

const refusal = (error: unknown): SyncEvent => ({ type: 'refused', error: errorBodyFrom(error) })

function eventOf<Reply>(ack: Ack<Reply>, read: (reply: Reply) => SyncEvent): SyncEvent {
  if (!ack.ok) return { type: 'refused', error: ack.error }
  try {
    return read(ack)
  } catch (error) {
    return refusal(error)
  }
}

/**
 * Who committed what an ack covers. That holds for duplicates too, unless the log itself has said otherwise: an ack is
 * stored after everything that the log had before it.
 */
function committedBy(
  userId: UserId,
  ops: readonly TreeOperation[],
  { at, rejected }: { readonly at: number; readonly rejected: readonly RejectedOp[] },
): AttestedRun[] {
  const refused = new Set(rejected.map(({ index }) => index))
  const committed = refused.size === 0 ? ops : ops.filter((_, index) => !refused.has(index))
  return runsOf(committed, { userId, at })
}

/** Decodes a page or an append. Throws what `decodeBatch` throws, and `internal` for the batch of another space. */
export function logRangeOf(
  spaceId: SpaceId,
  page: Omit<LogRange, 'ops' | 'attested'> & {
    readonly batch: Uint8Array
    readonly commits: readonly Commit[]
  },
): LogRange {
  const { logId, epoch, after, cursor, batch, commits } = page
  const decoded = decodeBatch(batch)
  if (decoded.spaceId !== spaceId) throw new SyncError('internal', 'The server sent a batch of another space')
  const attested = attestedRuns(decoded.ops, after, commits)
  return { logId, epoch, after, cursor, ops: decoded.ops, attested }
}
