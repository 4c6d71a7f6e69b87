export { createSyncEngine, type EnteredSpace, type SyncEngine, type SyncEngineDeps } from './engine.ts'
export type { Divergence, TreeVerdict } from './judge-tree.ts'
export type { SyncReport } from './sync-report.ts'
