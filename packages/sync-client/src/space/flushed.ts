import { SyncError, type SpaceId } from '@t69/protocol'

import type { SpaceStatus } from '../api.ts'
import type { Listeners } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'
import type { EditWriter } from './edit-writer.ts'
import type { PendingCounter } from './pending-counter.ts'
import type { SpaceRecord } from './space-record.ts'

interface Parts {
  readonly spaceId: SpaceId
  readonly storage: Pick<ClientStorage, 'getSyncState'>
  readonly record: Pick<SpaceRecord, 'stored'>
  readonly counter: Pick<PendingCounter, 'countNow'>
  readonly writer: Pick<EditWriter, 'stored' | 'unstored'>
  readonly statusListeners: Pick<Listeners<SpaceStatus>, 'add'>
  readonly isClosed: () => boolean
}

/**
 * Resolves when every edit made so far is committed on the server, or refused. Throws `invalid_request` for a local
 * space, and `unavailable` once the space is closed.
 */
export async function untilFlushed(parts: Parts): Promise<void> {
  if (parts.record.stored.userId === null) throw new SyncError('invalid_request', 'This space does not sync')
  for (;;) {
    let hasChanged = false
    const changed = Promise.withResolvers<void>()
    const stop = parts.statusListeners.add(() => {
      hasChanged = true
      changed.resolve()
    })
    try {
      if (await isFlushed(parts)) return
      if (parts.isClosed()) throw new SyncError('unavailable', 'The space was closed')
      if (!hasChanged) await changed.promise
    } finally {
      stop()
    }
  }
}

async function isFlushed({ spaceId, storage, counter, writer }: Parts): Promise<boolean> {
  await writer.stored()
  // In this order: operations that the server lacks enter the outbox when the reconciliation ends, not before.
  const state = await storage.getSyncState(spaceId)
  const { pending } = await counter.countNow()
  return state?.reconciling === false && pending === 0 && writer.unstored === 0
}
