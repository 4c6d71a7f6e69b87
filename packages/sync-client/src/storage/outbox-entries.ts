import { limits, operationProblem, packBatches, type SpaceId, type TreeOperation } from '@t69/protocol'

import type { RejectedEdit } from './client-storage.ts'

/** Target size of an entry, in bytes. A small one, because it is sent again in full if the connection breaks. */
const entryBytes = 16_384

/** The content of an outbox entry: operations in order, and their batch. Only a single operation may make it large. */
export interface PackedEntry {
  readonly ops: readonly TreeOperation[]
  readonly batch: Uint8Array
}

export interface PackedEdits {
  readonly entries: readonly PackedEntry[]
  /** Operations that no server accepts. They would block the outbox. */
  readonly refused: readonly RejectedEdit[]
}

/**
 * Packs edits into outbox entries, in order. Edits that break the protocol's rules (NaN as a value, an old t69 key with
 * an "@") are refused here, with the reason, so that they are never sent.
 */
export function packEdits(spaceId: SpaceId, ops: readonly TreeOperation[]): PackedEdits {
  const sendable: TreeOperation[] = []
  const refused: RejectedEdit[] = []
  for (const op of ops) {
    const problem = op.spaceId === spaceId ? operationProblem(op) : 'it belongs to another space'
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

/** Whether a slice that has `entries` entries may grow to `bytes` and `ops`. The first entry always fits. */
export function fitsSlice(entries: number, bytes: number, ops: number, budgetBytes: number): boolean {
  return entries === 0 || (bytes <= budgetBytes && ops <= limits.maxBatchOps)
}
