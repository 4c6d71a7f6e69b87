import { nullVertexId, type OpenBatch, openBatch, type TreeId, type TreeOperation } from '@t69/protocol'

import { WrongContentError } from '../sqlite/storage-failure.ts'
import type { LogRange, VertexName } from './op-log.ts'
import { rowByOp } from './op-row.ts'
import type { OpenSegments } from './open-segments.ts'
import { batchOf, checkSegment, opsOf, type StoredSegment } from './segment.ts'
import { checksumOfIds, hasClock, idRowsOf, maxSpan, problemOfIds } from './settled-ids.ts'
import type { SpaceStatements } from './space-queries.ts'
import type { SpaceSchema } from './space-schema.ts'

/** The operations of a log that are in segments and no longer rows. Every segment is checked when it is read. */
export interface SettledOps {
  /** The position up to which operations are settled. */
  readonly end: number
  /** The newest segment. */
  readonly last: (LogRange & { readonly bytes: number }) | undefined
  /** Looks again how far operations are settled: another connection may have settled more. */
  reload(): void

  /** The segment that has position `after + 1`. */
  segmentAt(after: number): StoredSegment | undefined
  /** The operations of the segment that has position `after + 1`, kept for the next time, and the index of that position. */
  openAt(after: number): { readonly ops: OpenBatch; readonly index: number } | undefined
  /** Tells of those of the operations whose ids are settled whether they have the same content. */
  lookUp(ops: readonly TreeOperation[]): Map<TreeOperation, 'same' | 'other'>
  has(op: TreeOperation): boolean
  /** Checks the rows that find operations by their ids: all of them in most logs, and some in one of very many. */
  checkIds(): void
  maxClock(treeId: TreeId): number
  countOf(treeId: TreeId): number
  isDeleted(vertex: VertexName): boolean
  /** The operations of a tree up to position `through`. `bytes` is their values' size, and stops above `maxBytes`. */
  readTree(
    treeId: TreeId,
    bounds: { readonly through: number; readonly maxBytes: number },
  ): { readonly ops: TreeOperation[]; readonly bytes: number }

  /** Keeps a segment that begins where the last ends, or takes the place of the last and adds to it. In a transaction. */
  put(segment: StoredSegment): void
}

/** Rows of ids that are checked once a log is asked about ids. Bounds how long that takes: some 1 µs each. */
const maxCheckedIds = 10_000

/** A row that is wrong may hide an operation. */
function checkIds(row: SpaceSchema['settled_ids']): void {
  const problem = problemOfIds(row)
  if (problem !== undefined) throw new WrongContentError(problem)
}

export function createSettledOps(statements: SpaceStatements, open: OpenSegments): SettledOps {
  let last = statements.lastSegment.get({})
  const endOf = (): number => last?.cursor ?? 0

  function segmentAt(after: number): StoredSegment | undefined {
    if (after >= endOf()) return undefined
    const segment = statements.segmentAt.get({ after })
    if (segment === undefined || segment.cursor <= after) return undefined
    checkSegment(segment)
    return segment
  }

  function openAt(after: number): { ops: OpenBatch; index: number } | undefined {
    const known = open.find(after)
    if (known !== undefined) return { ops: known.ops, index: after - known.after }
    const segment = segmentAt(after)
    if (segment === undefined) return undefined
    const ops = opsOf(segment)
    open.keep(segment, ops)
    return { ops, index: after - segment.after }
  }

  /** Where the segment begins that has an operation of this id. */
  function segmentWith({ treeId, peerId, clock }: TreeOperation): number | undefined {
    if (endOf() === 0) return undefined
    const upTo = Math.min(clock + maxSpan - 1, Number.MAX_SAFE_INTEGER)
    const rows = statements.idsAround.all({ treeId, peerId, clock, upTo })
    for (const row of rows) {
      checkIds({ treeId, peerId, ...row })
      if (hasClock(row, clock)) return row.after
    }
    return undefined
  }

  return {
    get end() {
      return endOf()
    },
    get last() {
      return last
    },
    reload: () => {
      last = statements.lastSegment.get({})
    },
    segmentAt,
    openAt,
    checkIds: () => {
      for (const row of endOf() === 0 ? [] : statements.someIds.iterate({ atMost: maxCheckedIds }))
        checkIds(row)
    },
    has: (op) => segmentWith(op) !== undefined,

    lookUp: (ops) => {
      const bySegment = new Map<number, TreeOperation[]>()
      for (const op of ops) {
        const after = segmentWith(op)
        if (after === undefined) continue
        const together = bySegment.get(after)
        if (together === undefined) bySegment.set(after, [op])
        else together.push(op)
      }
      const verdicts = new Map<TreeOperation, 'same' | 'other'>()
      // Segment by segment: each is opened once, in whatever order the operations come.
      for (const [after, together] of bySegment) {
        const known = openAt(after)?.ops
        for (const op of together) {
          const isSame = known !== undefined && open.indexOf(known, op).some((at) => isSameAt(known, at, op))
          verdicts.set(op, isSame ? 'same' : 'other')
        }
      }
      return verdicts
    },

    maxClock: (treeId) => (endOf() === 0 ? 0 : (statements.settledTree.get({ treeId })?.clock ?? 0)),
    countOf: (treeId) => (endOf() === 0 ? 0 : (statements.settledTree.get({ treeId })?.ops ?? 0)),
    isDeleted: ({ treeId, targetId }) =>
      endOf() > 0 && statements.settledDelete.get({ treeId, targetId }) !== undefined,

    readTree: (treeId, { through, maxBytes }) => {
      const found: TreeOperation[] = []
      let bytes = 0
      if (endOf() === 0) return { ops: found, bytes }
      for (const { after } of statements.segmentsOfTree.all({ treeId })) {
        if (after >= through) break
        const segment = segmentAt(after)
        if (segment === undefined) continue
        const ops = opsOf(segment)
        for (let at = 0; at < ops.count && segment.after + at < through; at++) {
          if (ops.treeIdAt(at) !== treeId) continue
          bytes += ops.valueBytesAt(at)
          if (bytes > maxBytes) return { ops: found, bytes }
          found.push(ops.opAt(at))
        }
      }
      return { ops: found, bytes }
    },

    put: (segment) => {
      const ops = openBatch(batchOf(segment))
      const from = endOf() - segment.after
      if (from < 0 || from >= ops.count || segment.after + ops.count !== segment.cursor) {
        throw new Error(`a segment from ${segment.after} to ${segment.cursor} does not follow ${endOf()}`)
      }
      open.drop(segment.after)
      statements.putSegment.run(segment)
      const { after } = segment
      for (const row of idRowsOf(ops, from)) {
        statements.insertIds.run({ ...row, after, checksum: checksumOfIds(row, after) })
      }
      const trees = new Map<TreeId, { clock: number; ops: number }>()
      for (let at = from; at < ops.count; at++) {
        const treeId = ops.treeIdAt(at)
        const tree = trees.get(treeId) ?? { clock: 0, ops: 0 }
        trees.set(treeId, { clock: Math.max(tree.clock, ops.clockAt(at)), ops: tree.ops + 1 })
        const { parentId, targetId } = ops.placeAt(at)
        if (parentId === nullVertexId) statements.insertDelete.run({ treeId, targetId })
      }
      for (const [treeId, tree] of trees) statements.raiseTree.run({ treeId, ...tree })
      const { changes } = statements.deleteOpsThrough.run({ cursor: segment.cursor })
      if (changes !== ops.count - from)
        throw new WrongContentError(`${changes} rows of ${ops.count - from} are there`)
    },
  }
}

function isSameAt(known: OpenBatch, at: number, op: TreeOperation): boolean {
  if (known.treeIdAt(at) !== op.treeId || known.peerIdAt(at) !== op.peerId) return false
  return known.hasContentAt(at, op, rowByOp(op).value ?? undefined)
}
