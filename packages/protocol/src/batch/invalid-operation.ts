import { SyncError } from '../errors.ts'

/** The error that refuses an operation by its index in the batch. */
export function invalidOperation(at: number, problem: string): SyncError {
  return new SyncError('invalid_batch', `operation ${at}: ${problem}`, { at })
}
