import { limits, operationProblem, packBatches, type SpaceId, type TreeOperation } from '@t69/protocol'

import type { RejectedEdit } from './client-storage.ts'

/** Whatever was sent of an entry is sent again if the connection breaks before its end. */
const entryBytes = 16_384

/** What one outbox entry carries: a run of operations, and their batch, small unless it is of a single one. */
export interface PackedEntry {
  readonly ops: readonly TreeOperation[]
  readonly batch: Uint8Array
}

export interface PackedEdits {
  readonly entries: readonly PackedEntry[]
  /** Operations that no server takes, whatever it holds: they would wedge the outbox. */
  readonly refused: readonly RejectedEdit[]
}

/**
 * Turns edits into outbox entries, in order. What breaks the protocol's own rules (NaN as a value, a
 * key of t69's past with an "@") is refused here, with the reason, rather than by a server for ever.
 */
export function packEdits(spaceId: SpaceId, ops: readonly TreeOperation[]): PackedEdits {
  const sendable: TreeOperation[] = []
  const refused: RejectedEdit[] = []
  for (const op of ops) {
    const problem = op.spaceId === spaceId ? operationProblem(op) : 'it is of another space'
    if (problem === undefined) sendable.push(op)
    else refused.push({ op, code: 'invalid_batch', message: problem })
  }
  const entries: PackedEntry[] = []
  if (sendable.length === 0) return { entries, refused }
  let start = 0
  for (const { bytes, count } of packBatches(spaceId, sendable, { budgetBytes: entryBytes })) {
    entries.push({ ops: sendable.slice(start, start + count), batch: bytes })
    start += count
  }
  return { entries, refused }
}

/** Whether a slice of `entries` entries may grow to `bytes` and `ops`: the first entry always may. */
export function fitsSlice(entries: number, bytes: number, ops: number, budgetBytes: number): boolean {
  return entries === 0 || (bytes <= budgetBytes && ops <= limits.maxBatchOps)
}
