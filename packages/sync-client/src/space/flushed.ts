import { SyncError, type LogId, type SpaceId } from '@t69/protocol'

import type { SpaceStatus } from '../api.ts'
import type { SyncReport } from '../engine/index.ts'
import { eitherSignal, unlessAborted, type Listeners } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'
import type { EditWriter } from './edit-writer.ts'
import type { PendingCounter } from './pending-counter.ts'
import type { SpaceRecord } from './space-record.ts'

interface Parts {
  readonly spaceId: SpaceId
  readonly storage: Pick<ClientStorage, 'getSyncState' | 'outboxRange'>
  readonly record: Pick<SpaceRecord, 'stored' | 'rights'>
  readonly counter: Pick<PendingCounter, 'countNow'>
  readonly stored: (signal?: AbortSignal) => Promise<void>
  readonly statusListeners: Pick<Listeners<SpaceStatus>, 'add'>
  readonly report: () => SyncReport
  readonly status: () => SpaceStatus
  /** Aborts, with an `unavailable`, once the space is closed, and with an `unauthenticated` once it is locked. */
  readonly released: () => AbortSignal
}

/**
 * Resolves when every edit made so far is on disk, whatever is edited meanwhile. Throws `unavailable` if the space is closed
 * before that.
 */
export async function untilStored(
  {
    writer,
    released,
  }: { readonly writer: Pick<EditWriter, 'stored' | 'unstored'>; readonly released: AbortSignal },
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  if (writer.unstored > 0) await unlessAborted(writer.stored(), eitherSignal(released, signal))
}

/**
 * The edits that `flushed` waits for: the entries of the outbox up to `newest`. What is edited later is in newer ones. Which
 * of this device's operations the log `logId` lacked was known when they were marked.
 */
interface Mark {
  readonly logId: LogId | null
  readonly newest: number
}

/**
 * Resolves when every edit made so far is committed on the server, or refused, whatever is edited meanwhile. Throws
 * `invalid_request` for a local space, `forbidden` when edits wait that this user may not send, what blocks the space, and
 * `unavailable` if the space is closed before that.
 */
export async function untilFlushed(parts: Parts, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  if (parts.record.stored.userId === null) throw new SyncError('invalid_request', 'This space does not sync')
  const ended = eitherSignal(parts.released(), signal)
  await parts.stored(signal)
  const isFlushed = createFlushCheck(parts)
  for (;;) {
    let hasChanged = false
    const changed = Promise.withResolvers<void>()
    const stop = parts.statusListeners.add(() => {
      hasChanged = true
      changed.resolve()
    })
    try {
      const flushed = await isFlushed().catch((error: unknown) => {
        // The storage of a closed client refuses as well.
        ended.throwIfAborted()
        throw error
      })
      if (flushed) return
      ended.throwIfAborted()
      if (!hasChanged) await unlessAborted(changed.promise, ended)
    } finally {
      stop()
    }
  }
}

/** The check throws what keeps the edits on this device, if waiting for a network does not help. */
function createFlushCheck(parts: Parts): () => Promise<boolean> {
  const { spaceId, storage, counter } = parts
  let mark: Mark | null = null

  return async () => {
    // In this order: operations that the server lacks enter the outbox when the reconciliation ends, not before.
    const { logId = null, reconciling } = (await storage.getSyncState(spaceId)) ?? { reconciling: true }
    const outbox = await storage.outboxRange(spaceId)
    // Whoever has waited sees in `status` how many edits were refused.
    await counter.countNow()
    const { phase, error } = parts.status()
    const mayEdit = parts.record.rights(parts.report().role).edit
    // A device of somebody who may only read goes on reconciling while it holds what the server has lost.
    const isReconciled = !reconciling || (phase === 'live' && !mayEdit)
    if (!isReconciled) mark = null
    else if (mark?.logId !== logId) mark = { logId, newest: outbox?.newest ?? 0 }
    const isWaiting = outbox !== undefined && (mark === null || outbox.oldest <= mark.newest)
    if (isReconciled && !isWaiting) return true
    if (phase === 'blocked' && error !== null) throw SyncError.from(error)
    if (isWaiting && !mayEdit) {
      throw new SyncError(
        'forbidden',
        'You can read this space, but not change it. Your edits stay on this device.',
        { reason: 'role' },
      )
    }
    return false
  }
}
