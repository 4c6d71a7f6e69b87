import type { LogId, SpaceId, TreeId } from '@t69/protocol'
import { createSyncClient, openIndexedDbStorage, type SyncState } from '@t69/sync-client'
import { clientStorageCases, someOps } from '@t69/sync-client/testing/client-storage-contract'
import { seedT69V2 } from '@t69/sync-client/testing/seed-t69-v2'

import { openJune2025, typeOn } from './june-2025.ts'

/**
 * What the functions that a test runs in the page can use: they cannot bring anything else with them. The ids are the
 * defaults of `someOps`.
 */
const lab = {
  clientStorageCases,
  createSyncClient,
  openIndexedDbStorage,
  openJune2025,
  seedT69V2,
  someOps,
  typeOn,
  spaceId: 'a'.repeat(32) as SpaceId,
  chat: 'c'.repeat(32) as TreeId,
  otherChat: 'd'.repeat(32) as TreeId,
  following: (cursor: number): SyncState => ({
    identity: null,
    logId: '1'.repeat(32) as LogId,
    epoch: null,
    cursor,
    reconciling: false,
  }),
}

declare global {
  var lab: Lab
}

type Lab = typeof lab

globalThis.lab = lab
