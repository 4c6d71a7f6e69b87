import {
  decodeBatch,
  openBatch,
  type LogId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'

import { byClock, opIdInTree } from '../op-order.ts'
import type { LocalDb } from './local-db-schema.ts'
import { OpIdSet } from './op-id-set.ts'
import { operationFromRow } from './operation-row.ts'

/**
 * The operations of a tree that a log lacks. They are found in two steps: first by their ids alone, then their contents a
 * piece at a time. So a chat of a million operations is neither held in memory nor queued in one transaction, for which
 * edits would have to wait.
 */
export interface MissingOps {
  /** Ranges of clocks, ascending, each with a few thousand missing operations. */
  readonly pieces: readonly ClockRange[]
  /** The segments that have missing operations, with the range of their clocks. Others are in rows. */
  readonly segments: readonly (ClockRange & { readonly id: number })[]
  readonly isMissing: (op: OpId) => boolean
}

/** Both ends are included. */
interface ClockRange {
  readonly from: number
  readonly to: number
}

type OpId = Parameters<OpIdSet['has']>[0]

/** Operations after which a piece is cut. */
const maxPieceOps = 10_000
/** Bytes of large values after which a piece is cut. */
const maxPieceBytes = 2 * 1024 * 1024
/** Length of a value's text above which it counts as large. Ten thousand smaller ones still fit a piece. */
const largeText = 256

/** Finds the operations that this reconciliation has neither received nor queued. Runs inside a transaction. */
export async function findMissing(
  db: LocalDb,
  spaceId: SpaceId,
  treeId: TreeId,
  logId: LogId,
  queued: OpIdSet,
): Promise<MissingOps> {
  const receivedAfter = (await db.sync.get(spaceId))?.receivedAfter ?? 0
  const isReceived = (segment: { id: number; logId: string | null }): boolean =>
    segment.logId === logId && segment.id > receivedAfter
  const received = new OpIdSet()
  const isMissing = (op: OpId): boolean => !received.has(op) && !queued.has(op)
  const treeSegments = db.segments.where('[spaceId+treeId]').equals([spaceId, treeId])
  const treeRows = db.treeOps.where('[spaceId+treeId]').equals([spaceId, treeId])
  const clocks: number[] = []
  const largeAt = new Map<number, number>()
  const segments: (ClockRange & { id: number })[] = []

  await treeSegments.each((segment) => {
    if (isReceived(segment)) addIds(received, segment.batch)
  })
  await treeSegments.each((segment) => {
    if (isReceived(segment)) return
    let [from, to] = [Infinity, -Infinity]
    for (const op of decodeBatch(segment.batch).ops) {
      if (!isMissing(op)) continue
      clocks.push(op.clock)
      from = Math.min(from, op.clock)
      to = Math.max(to, op.clock)
      const bytes = typeof op.value === 'object' ? JSON.stringify(op.value).length : String(op.value).length
      if (bytes > largeText) largeAt.set(op.clock, (largeAt.get(op.clock) ?? 0) + bytes)
    }
    if (from <= to) segments.push({ id: segment.id, from, to })
  })
  await treeRows.eachPrimaryKey(([clock, peerId]) => {
    if (isMissing({ treeId, peerId, clock })) clocks.push(clock)
  })
  return { pieces: cut(clocks, largeAt), segments, isMissing }
}

/** Reads the ids of a batch, without the values, which are most of it. */
function addIds(ids: OpIdSet, bytes: Uint8Array): void {
  const batch = openBatch(bytes)
  for (let index = 0; index < batch.count; index++) {
    ids.add({
      treeId: batch.treeIdAt(index),
      peerId: batch.peerIdAt(index),
      clock: batch.clockAt(index),
    })
  }
}

/** Reads the operations of one piece, each once, oldest clock first. Runs inside a transaction. */
export async function readMissing(
  db: LocalDb,
  spaceId: SpaceId,
  treeId: TreeId,
  { segments, isMissing }: MissingOps,
  { from, to }: ClockRange,
): Promise<TreeOperation[]> {
  const ops = new Map<string, TreeOperation>()
  function take(op: TreeOperation | undefined): void {
    if (op !== undefined && op.clock >= from && op.clock <= to && isMissing(op)) ops.set(opIdInTree(op), op)
  }
  // In order of precedence: a later segment replaces an earlier one, and a row replaces both.
  for (const { id } of segments.filter((segment) => segment.from <= to && segment.to >= from)) {
    const segment = await db.segments.get(id)
    if (segment !== undefined) decodeBatch(segment.batch).ops.forEach(take)
  }
  const rows = await db.treeOps
    .where('[spaceId+treeId+clock]')
    .between([spaceId, treeId, from], [spaceId, treeId, to], true, true)
    .toArray()
  for (const row of rows) take(operationFromRow(row))
  return [...ops.values()].toSorted(byClock)
}

/** Cuts clocks into pieces. Operations with the same clock stay in one piece. */
function cut(clocks: readonly number[], largeAt: ReadonlyMap<number, number>): ClockRange[] {
  const pieces: ClockRange[] = []
  let [from, to, count, bytes] = [-Infinity, -Infinity, 0, 0]
  for (const clock of Float64Array.from(clocks).sort()) {
    if (clock !== to) {
      if (count >= maxPieceOps || bytes >= maxPieceBytes) {
        pieces.push({ from, to })
        count = 0
        bytes = 0
      }
      if (count === 0) from = clock
      to = clock
      bytes += largeAt.get(clock) ?? 0
    }
    count++
  }
  if (count > 0) pieces.push({ from, to })
  return pieces
}
