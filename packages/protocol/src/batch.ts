import type { SpaceId } from './ids.ts'
import type { TreeOperation } from './operation.ts'

export interface Batch {
  readonly spaceId: SpaceId
  readonly ops: readonly TreeOperation[]
}

/** To be implemented: see SPEC.md. */
export function encodeBatch(_batch: Batch): Uint8Array {
  throw new Error('not yet')
}
/** Throws `SyncError` `invalid_batch` or `too_large`. */
export function decodeBatch(_bytes: Uint8Array): Batch {
  throw new Error('not yet')
}
/** Splits into batches within the budget, in order. */
export function* packBatches(
  _spaceId: SpaceId,
  _ops: Iterable<TreeOperation>,
  _options?: { budgetBytes?: number; maxOps?: number },
): Generator<{ bytes: Uint8Array; count: number }> {
  throw new Error('not yet')
}
