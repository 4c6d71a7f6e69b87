import type { SyncState } from './client-storage.ts'

/**
 * Whether storing `next` begins a reconciliation: none was running, the log is another one, or the same one is read from
 * an earlier position. Operations received before that say nothing about the content of the log.
 */
export function beginsReconciliation(
  previous: Omit<SyncState, 'identity'> | undefined,
  next: SyncState,
): boolean {
  if (!next.reconciling) return false
  return (
    previous === undefined ||
    !previous.reconciling ||
    previous.logId !== next.logId ||
    next.cursor < previous.cursor
  )
}
