export {
  unsynced,
  type ClientStorage,
  type OutboxSlice,
  type PendingCounts,
  type RejectedEdit,
  type StoredSpace,
  type SyncState,
} from './client-storage.ts'
export { SupersededError } from './leader-term.ts'
export { memoryStorage, type MemoryStorageOptions } from './memory-storage.ts'
export { createPageJournal, noJournal, type PageJournal, type JournalStore } from './page-journal.ts'
export { isLocalUri, localUri, serverUri } from './space-uri.ts'
