import { SyncError } from '@t69/protocol'

/**
 * The log is not open, or what is open is no longer what is at its path. Nothing was done. Open it again, then repeat the
 * call.
 */
export class LogGoneError extends SyncError {
  constructor(reason: unknown = new Error('the log is not open')) {
    super('storage_failed', 'the storage of this space fails')
    this.cause = reason
  }
}
