import { SyncError, type SpaceId } from '@t69/protocol'

import type { SpaceStatus } from '../api.ts'
import type { SyncReport } from '../engine/index.ts'
import { eitherSignal, unlessAborted, type Listeners } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'
import type { EditWriter } from './edit-writer.ts'
import type { PendingCounter } from './pending-counter.ts'
import type { SpaceRecord } from './space-record.ts'

interface Parts {
  readonly spaceId: SpaceId
  readonly storage: Pick<ClientStorage, 'getSyncState'>
  readonly record: Pick<SpaceRecord, 'stored' | 'rights'>
  readonly counter: Pick<PendingCounter, 'countNow'>
  readonly writer: Pick<EditWriter, 'unstored'>
  readonly stored: (signal?: AbortSignal) => Promise<void>
  readonly statusListeners: Pick<Listeners<SpaceStatus>, 'add'>
  readonly report: () => SyncReport
  readonly status: () => SpaceStatus
  /** Aborts, with an `unavailable`, once the space is closed, and with an `unauthenticated` once it is locked. */
  readonly released: () => AbortSignal
}

/** Resolves when every edit made so far is on disk. Throws `unavailable` if the space is closed before that. */
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
 * Resolves when every edit made so far is committed on the server, or refused. Throws `invalid_request` for a local
 * space, `forbidden` when edits wait that this user may not send, what blocks the space, and `unavailable` once the
 * space is closed.
 */
export async function untilFlushed(parts: Parts, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  if (parts.record.stored.userId === null) throw new SyncError('invalid_request', 'This space does not sync')
  const ended = eitherSignal(parts.released(), signal)
  for (;;) {
    let hasChanged = false
    const changed = Promise.withResolvers<void>()
    const stop = parts.statusListeners.add(() => {
      hasChanged = true
      changed.resolve()
    })
    try {
      await parts.stored(signal)
      const flushed = await isFlushed(parts).catch((error: unknown) => {
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

/** Throws what keeps the edits on this device, if waiting for a network does not help. */
async function isFlushed(parts: Parts): Promise<boolean> {
  const { spaceId, storage, counter, writer } = parts
  // In this order: operations that the server lacks enter the outbox when the reconciliation ends, not before.
  const state = await storage.getSyncState(spaceId)
  const { pending } = await counter.countNow()
  const { phase, error } = parts.status()
  const mayEdit = parts.record.rights(parts.report().role).edit
  // A device of somebody who may only read goes on reconciling while it holds what the server has lost.
  const isReconciled = state?.reconciling === false || (phase === 'live' && !mayEdit)
  if (isReconciled && pending === 0 && writer.unstored === 0) return true
  if (phase === 'blocked' && error !== null) throw SyncError.from(error)
  if (pending > 0 && !mayEdit) {
    throw new SyncError(
      'forbidden',
      'You can read this space, but not change it. Your edits stay on this device.',
    )
  }
  return false
}
