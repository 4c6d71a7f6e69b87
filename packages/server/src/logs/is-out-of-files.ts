import { SyncError } from '@t69/protocol'

import { StorageFailure } from '../sqlite/storage-failure.ts'

/** Whether `OpLogs.open` seems to have failed for lack of file handles: SQLite does not say why it failed. */
export function isOutOfFiles(error: unknown): boolean {
  if (!(error instanceof SyncError) || !(error.cause instanceof StorageFailure)) return false
  const { cause } = error.cause
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return false
  return cause.code === 'EMFILE' || cause.code === 'ENFILE' || cause.code.startsWith('SQLITE_CANTOPEN')
}
