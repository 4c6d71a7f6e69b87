export { addRun, attestationAt, attestedRuns, runsOf } from './attested-runs.ts'
export type { AttestedRun, Attestation, ClockRun } from './attested-runs.ts'
export {
  unsynced,
  type ClientStorage,
  type KeptSeal,
  type OutboxRange,
  type OutboxSlice,
  type PendingCounts,
  type RejectedEdit,
  type SpaceProof,
  type StoredSpace,
  type SyncState,
} from './client-storage.ts'
export { SupersededError } from './leader-term.ts'
export { groupByTree } from './op-order.ts'
export { memoryStorage, type MemoryStorageOptions } from './memory-storage.ts'
export { createPageJournal, noJournal, type PageJournal } from './page-journal.ts'
export { isLocalUri, localUri, serverUri } from './space-uri.ts'
