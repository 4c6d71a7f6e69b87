import { SyncError } from '../errors.ts'
import { uuidLikeProblem, type SpaceId } from '../ids.ts'
import { utf8Length } from '../json-value.ts'
import { limits } from '../limits.ts'
import { checkOperation } from '../operation-problem.ts'
import { isMove, type TreeOperation } from '../operation.ts'
import { BatchBuilder } from './batch-builder.ts'
import type { Batch } from './batch.ts'
import { invalidOperation } from './invalid-operation.ts'

/**
 * Encodes a batch for `decodeBatch`. Throws a `SyncError`: `invalid_batch` for an operation that is malformed or of
 * another space (`at` is its index), `too_large` beyond `maxBatchOps` or `maxBatchBytes`.
 *
 *     socket.emit('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })
 */
export function encodeBatch({ spaceId, ops }: Batch): Uint8Array<ArrayBuffer> {
  checkSpaceId(spaceId)
  if (ops.length > limits.maxBatchOps) {
    throw new SyncError('too_large', `${ops.length} operations, more than ${limits.maxBatchOps}`)
  }
  const builder = new BatchBuilder(spaceId)
  ops.forEach((op, index) => builder.add(op, checkedValueText(op, spaceId, index)))
  const bytes = builder.finish()
  if (bytes.length > limits.maxBatchBytes) {
    throw new SyncError('too_large', `${bytes.length} bytes, more than ${limits.maxBatchBytes}`)
  }
  return bytes
}

/**
 * Splits operations into batches, in order and lazily. A batch has at most `maxOps` operations, and at most
 * `budgetBytes` unless it is a single larger operation. Linear. Throws like `encodeBatch` once the batches before the
 * refused operation were yielded; `at` is its index among all operations.
 *
 *     for (const { bytes, count } of packBatches(spaceId, ops)) await send(bytes)
 */
export function* packBatches(
  spaceId: SpaceId,
  ops: Iterable<TreeOperation>,
  options: PackOptions = {},
): Generator<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly count: number }, void, undefined> {
  let packer = createPacker(spaceId, options)
  let index = 0
  for (const op of ops) {
    const valueText = checkedValueText(op, spaceId, index++)
    if (packer.add(op, valueText)) continue
    yield { bytes: packer.finish(), count: packer.count }
    packer = createPacker(spaceId, options)
    packer.add(op, valueText)
  }
  if (packer.count > 0) yield { bytes: packer.finish(), count: packer.count }
}

export interface PackOptions {
  /** Default: `batchBudgetBytes`. */
  readonly budgetBytes?: number
  /** Default: `maxBatchOps`. */
  readonly maxOps?: number
}

/** Packs operations that are known to be valid into one batch, until that is full. */
export interface BatchPacker {
  readonly count: number
  /**
   * Adds an operation of the space. `valueText` is its value as `JSON.stringify` writes it; undefined for a move and for a
   * removal. Returns false, and adds nothing, when the batch is full. One operation always fits.
   */
  add(op: TreeOperation, valueText: string | undefined): boolean
  finish(): Uint8Array<ArrayBuffer>
}

/**
 * Packs operations that were checked before, such as those of a stored batch, without looking at them again. Throws
 * `invalid_batch` for an id that is no space's.
 */
export function createPacker(spaceId: SpaceId, options: PackOptions = {}): BatchPacker {
  const budgetBytes = Math.min(options.budgetBytes ?? limits.batchBudgetBytes, limits.maxBatchBytes)
  const maxOps = Math.min(options.maxOps ?? limits.maxBatchOps, limits.maxBatchOps)
  checkSpaceId(spaceId)
  const builder = new BatchBuilder(spaceId)
  return {
    get count() {
      return builder.count
    },
    add: (op, valueText) => {
      const isFull = builder.count >= maxOps || builder.maxBytes + maxBytesOf(op, valueText) > budgetBytes
      if (builder.count > 0 && isFull) return false
      builder.add(op, valueText)
      return true
    },
    finish: () => builder.finish(),
  }
}

/** An upper bound for the bytes that an operation adds: all of its ids and keys are new, and it ends every run. */
function maxBytesOf(op: TreeOperation, valueText = ''): number {
  const ids = op.peerId.length + op.treeId.length + op.targetId.length + 4
  const rest = isMove(op) ? (op.parentId ?? '').length : op.key.length * 3 + utf8Length(valueText)
  // Seven numbers take at most three bytes (indices, lengths of runs and values), two take eight (clocks).
  return ids + rest + 7 * 3 + 2 * 8
}

function checkSpaceId(spaceId: SpaceId): void {
  const problem = uuidLikeProblem(spaceId)
  if (problem !== undefined) throw new SyncError('invalid_batch', `the space's id ${problem}`)
}

/** The operation's value as JSON, or undefined if it has none. Throws if the operation is invalid. */
function checkedValueText(op: TreeOperation, spaceId: SpaceId, at: number): string | undefined {
  const { problem, valueText } = checkOperation(op)
  if (problem !== undefined) throw invalidOperation(at, problem)
  if (op.spaceId !== spaceId) throw invalidOperation(at, 'it is of another space')
  return valueText
}
