import { checkOperation, createPacker, isMove, limits, type SpaceId, type TreeOperation } from '@t69/protocol'

import type { RejectedEdit } from './client-storage.ts'

/** Target size of an entry, in bytes. A small one, because it is sent again in full if the connection breaks. */
const entryBytes = 16_384

/** The content of an outbox entry or a segment: operations in order, and their batch. Only a single operation may make it large. */
export interface PackedEntry {
  readonly ops: readonly TreeOperation[]
  readonly batch: Uint8Array<ArrayBuffer>
}

export interface PackedEdits {
  readonly entries: readonly PackedEntry[]
  /** Operations that no server accepts. They would block the outbox. */
  readonly refused: readonly RejectedEdit[]
}

/**
 * Packs edits into batches, in order: by default, into outbox entries. Edits that break the protocol's rules (NaN as a value, an
 * old t69 key with an "@") are refused here, with the reason, so that they are never sent. Looks at each edit once: this is done
 * for every key that somebody presses.
 */
export function packEdits(
  spaceId: SpaceId,
  ops: readonly TreeOperation[],
  budgetBytes = entryBytes,
): PackedEdits {
  const refused: RejectedEdit[] = []
  const entries: PackedEntry[] = []
  let packer = createPacker(spaceId, { budgetBytes })
  let packed: TreeOperation[] = []
  const finish = (): void => {
    if (packed.length > 0) entries.push({ ops: packed, batch: packer.finish() })
  }
  for (const op of ops) {
    const { problem, valueText } = op.spaceId === spaceId ? checkOperation(op) : elsewhere
    if (problem !== undefined) {
      refused.push({ op, code: 'invalid_batch', message: problem })
      continue
    }
    if (!packer.add(op, valueText)) {
      finish()
      packer = createPacker(spaceId, { budgetBytes })
      packed = []
      packer.add(op, valueText)
    }
    packed.push(op)
  }
  finish()
  return { entries, refused }
}

/** What an edit of another space is told. */
export const elsewhere = { problem: 'it belongs to another space', valueText: undefined }

/** The batch of edits that were taken from outbox entries: they were checked as they were put there. */
export function packChecked(spaceId: SpaceId, ops: readonly TreeOperation[]): Uint8Array<ArrayBuffer> {
  const packer = createPacker(spaceId, { budgetBytes: limits.maxBatchBytes })
  for (const op of ops) {
    const hasValue = !isMove(op) && op.value !== undefined
    const isAdded = packer.add(op, hasValue ? JSON.stringify(op.value) : undefined)
    // Whoever took them has looked at their sizes (`fitsSlice`). An edit that is left out would count as sent.
    if (!isAdded) throw new Error('The edits do not fit into one batch')
  }
  return packer.finish()
}

/** Whether a slice that has `entries` entries may grow to `bytes` and `ops`. The first entry always fits. */
export function fitsSlice(entries: number, bytes: number, ops: number, budgetBytes: number): boolean {
  return entries === 0 || (bytes <= budgetBytes && ops <= limits.maxBatchOps)
}
