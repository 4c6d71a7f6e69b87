import { crc32 } from 'node:zlib'

import type { OpenBatch, PeerId, TreeId } from '@t69/protocol'

/**
 * How far the clocks of one row may be apart. An operation is found by the rows that reach at most so far beyond its clock,
 * so the number bounds what a look-up reads.
 */
export const maxSpan = 4_096

/** Clocks that are left out before another row begins: as bits, they take about as much as a row. */
const maxGap = 256

/** The clocks of one peer in one tree, as a row of `settled_ids` has them. */
export interface IdRow {
  readonly treeId: TreeId
  readonly peerId: PeerId
  readonly first: number
  readonly last: number
  /** Which of the clocks from `first` to `last` there are, a bit each, the lowest bit first. Null: all. */
  readonly clocks: Uint8Array | null
}

/** CRC-32 of a row, and of the segment that has its operations. */
export function checksumOfIds({ treeId, peerId, first, last, clocks }: IdRow, after: number): number {
  const ids = crc32(`${after} ${treeId} ${peerId} ${first} ${last} `)
  return clocks === null ? ids : crc32(clocks, ids)
}

/** Why a row is not what was written; undefined if it is. Damage can make any value one of another type. */
export function problemOfIds(row: IdRow & { after: number; checksum: number }): string | undefined {
  const { treeId, peerId, first, last, clocks, after } = row
  const isReadable =
    typeof treeId === 'string' &&
    typeof peerId === 'string' &&
    Number.isSafeInteger(first) &&
    Number.isSafeInteger(last) &&
    (clocks === null || clocks instanceof Uint8Array)
  if (isReadable && checksumOfIds(row, after) === row.checksum) return undefined
  return `the ids of ${peerId} in ${treeId} from clock ${first} do not fit their checksum`
}

/** The rows that have the ids of the operations from index `from` on, and no other. */
export function idRowsOf(ops: OpenBatch, from: number): IdRow[] {
  return [...clocksByPeer(ops, from).values()].flatMap(({ treeId, peerId, clocks }) =>
    runsOf(clocks.toSorted((a, b) => a - b)).map((run) => rowOf(treeId, peerId, run)),
  )
}

/** Whether the row has the clock. */
export function hasClock(row: Pick<IdRow, 'first' | 'last' | 'clocks'>, clock: number): boolean {
  if (clock < row.first || clock > row.last) return false
  const bit = clock - row.first
  return row.clocks === null || ((row.clocks[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0
}

/** How many operations the row stands for. */
export function countOfIds({ first, last, clocks }: IdRow): number {
  if (clocks === null) return last - first + 1
  let count = 0
  for (const byte of clocks) for (let bits = byte; bits !== 0; bits &= bits - 1) count++
  return count
}

interface Clocks {
  readonly treeId: TreeId
  readonly peerId: PeerId
  readonly clocks: number[]
}

function clocksByPeer(ops: OpenBatch, from: number): Map<string, Clocks> {
  const found = new Map<string, Clocks>()
  for (let at = from; at < ops.count; at++) {
    const [treeId, peerId] = [ops.treeIdAt(at), ops.peerIdAt(at)]
    // Neither id has a space in it.
    const name = `${treeId} ${peerId}`
    let of = found.get(name)
    if (of === undefined) found.set(name, (of = { treeId, peerId, clocks: [] }))
    of.clocks.push(ops.clockAt(at))
  }
  return found
}

/** Splits sorted clocks where a gap is large, and where a run becomes too long. */
function runsOf(sorted: readonly number[]): number[][] {
  const runs: number[][] = []
  let run: number[] = []
  for (const clock of sorted) {
    const [first = clock, last = clock] = [run[0], run.at(-1)]
    if (clock - last > maxGap || clock - first >= maxSpan) {
      runs.push(run)
      run = []
    }
    run.push(clock)
  }
  return [...runs, run]
}

function rowOf(treeId: TreeId, peerId: PeerId, run: readonly number[]): IdRow {
  const [first = 0, last = 0] = [run[0], run.at(-1)]
  if (last - first + 1 === run.length) return { treeId, peerId, first, last, clocks: null }
  const clocks = new Uint8Array(((last - first) >> 3) + 1)
  for (const clock of run) {
    const bit = clock - first
    clocks[bit >> 3] = (clocks[bit >> 3] ?? 0) | (1 << (bit & 7))
  }
  return { treeId, peerId, first, last, clocks }
}
