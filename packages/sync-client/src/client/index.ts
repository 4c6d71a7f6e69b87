export { createSyncClient } from './create-sync-client.ts'
export type { SyncClientOptions } from './options.ts'
