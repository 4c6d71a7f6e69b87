import type { OpLog } from '../logs/op-log.ts'
import type { LogState } from './storage.ts'

/** Where a log is now. */
export function stateOf({ logId, epoch, head }: OpLog): LogState {
  return { logId, epoch, head }
}
