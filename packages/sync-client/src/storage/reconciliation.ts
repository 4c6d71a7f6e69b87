import type { SyncState } from './client-storage.ts'

/**
 * Whether `next` starts a reconciliation, so that what was received before says nothing of the log's content:
 * the log is another one, or the same one is read from an earlier position since it lost its end.
 */
export function beginsReconciliation(previous: SyncState | undefined, next: SyncState): boolean {
  if (!next.reconciling) return false
  return (
    previous === undefined ||
    !previous.reconciling ||
    previous.logId !== next.logId ||
    next.cursor < previous.cursor
  )
}
