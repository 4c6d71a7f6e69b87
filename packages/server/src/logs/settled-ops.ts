import { nullVertexId, type OpenBatch, openBatch, type TreeId, type TreeOperation } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import { prepareWhenUsed } from '../sqlite/query.ts'
import { WrongContentError } from '../sqlite/storage-failure.ts'
import type { LogRange, VertexName } from './op-log.ts'
import { rowByOp } from './op-row.ts'
import type { OpenSegments } from './open-segments.ts'
import { batchOf, checkSegment, opsOf, type StoredSegment } from './segment.ts'
import { problemOfDelete, type StoredDelete, storedDelete } from './settled-deletes.ts'
import {
  checksumOfIds,
  countOfIds,
  hasClock,
  type IdRow,
  idRowsOf,
  maxSpan,
  problemOfIds,
} from './settled-ids.ts'
import { hasSettledTables, settledQueries } from './settled-queries.ts'
import { createSettledTables, type SpaceSchema } from './space-schema.ts'

/** The operations of a log that are in segments and no longer rows. Every segment is checked when it is read. */
export interface SettledOps {
  /** The position up to which operations are settled. */
  readonly end: number
  /** The newest segment. */
  readonly last: (LogRange & { readonly bytes: number }) | undefined
  /** Looks again how far operations are settled: another connection may have settled more. */
  reload(): void
  /** Looks how far operations are settled now, and remembers nothing. */
  findEnd(): number

  /** The segment that has position `after + 1`. */
  segmentAt(after: number): StoredSegment | undefined
  /** The operations of the segment that has position `after + 1`, kept for the next time, and the index of that position. */
  openAt(after: number): { readonly ops: OpenBatch; readonly index: number } | undefined
  /** The operations by where the segments begin that have their ids. Those whose ids are not settled are under undefined. */
  bySegment(ops: readonly TreeOperation[]): Map<number | undefined, TreeOperation[]>
  /** Tells of those of the operations whose ids are settled whether they have the same content. */
  lookUp(ops: readonly TreeOperation[]): Map<TreeOperation, 'same' | 'other'>
  has(op: TreeOperation): boolean
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

/** Rows of a tree that are checked once a log is asked about it. Bounds how long that takes: some 1 µs each. */
const maxChecked = 10_000

/** A row that is wrong may hide an operation. */
function checkIds(row: SpaceSchema['settled_ids']): void {
  const problem = problemOfIds(row)
  if (problem !== undefined) throw new WrongContentError(problem)
}

/** Nor may it say that something was deleted. */
function checkDelete(row: StoredDelete): void {
  const problem = problemOfDelete(row)
  if (problem !== undefined) throw new WrongContentError(problem)
}

type SettledTree = Omit<SpaceSchema['settled_trees'], 'treeId'>

const emptyTree: SettledTree = { clock: 0, ops: 0, deletes: 0 }

export function createSettledOps(db: Database, open: OpenSegments): SettledOps {
  // Where nothing has settled the tables may be missing, and no other statement is used.
  const statements = prepareWhenUsed(db, settledQueries)
  const findLast = () => (hasSettledTables(db) ? statements.lastSegment.get({}) : undefined)
  let last = findLast()
  const checkedTrees = new Set<TreeId>()
  const checkedDeletes = new Set<TreeId>()
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

  /**
   * The row is compared with the rows of ids once: one that is wrong or gone would have edits refused, or let in twice. Where there are
   * more rows than are checked, only a row of a tree that is too low shows, until the file is read through.
   */
  function treeOf(treeId: TreeId): SettledTree {
    if (endOf() === 0) return emptyTree
    const tree = statements.settledTree.get({ treeId }) ?? emptyTree
    if (checkedTrees.has(treeId)) return tree
    let [clock, ops, rows] = [0, 0, 0]
    let before: IdRow | undefined
    for (const row of statements.idsOfTree.iterate({ treeId, atMost: maxChecked })) {
      checkIds(row)
      if (before !== undefined && !isBehind(row, before)) throw outOfOrder(`ids of ${treeId}`)
      before = row
      clock = Math.max(clock, row.last)
      ops += countOfIds(row)
      rows++
    }
    const fits =
      rows < maxChecked ? clock === tree.clock && ops === tree.ops : clock <= tree.clock && ops <= tree.ops
    if (!fits) {
      const said = `${tree.ops} up to clock ${tree.clock}`
      throw new WrongContentError(`${treeId} has ${ops} settled operations up to clock ${clock}, not ${said}`)
    }
    checkedTrees.add(treeId)
    return tree
  }

  /** The same of what was deleted in a tree, before something is said not to be: a row that is wrong or gone would hide it. */
  function checkDeletes(treeId: TreeId): void {
    if (checkedDeletes.has(treeId)) return
    const { deletes } = treeOf(treeId)
    let rows = 0
    let before = ''
    for (const row of statements.deletesOfTree.iterate({ treeId, atMost: maxChecked })) {
      checkDelete(row)
      if (row.targetId <= before) throw outOfOrder(`deletes of ${treeId}`)
      before = row.targetId
      rows++
    }
    if (rows < maxChecked ? rows !== deletes : rows > deletes) {
      throw new WrongContentError(`${treeId} has ${rows} settled deletes, not ${deletes}`)
    }
    checkedDeletes.add(treeId)
  }

  function isDeleted(vertex: VertexName): boolean {
    if (endOf() === 0) return false
    const row = statements.settledDelete.get(vertex)
    if (row === undefined) checkDeletes(vertex.treeId)
    else checkDelete(row)
    return row !== undefined
  }

  function bySegment(ops: readonly TreeOperation[]): Map<number | undefined, TreeOperation[]> {
    for (const treeId of new Set(ops.map((op) => op.treeId))) treeOf(treeId)
    return Map.groupBy(ops, segmentWith)
  }

  return {
    get end() {
      return endOf()
    },
    bySegment,
    get last() {
      return last
    },
    reload: () => {
      last = findLast()
    },
    findEnd: () => findLast()?.cursor ?? 0,
    segmentAt,
    openAt,
    has: (op) => segmentWith(op) !== undefined,

    lookUp: (ops) => {
      const verdicts = new Map<TreeOperation, 'same' | 'other'>()
      // Segment by segment: each is opened once, in whatever order the operations come.
      for (const [after, together] of bySegment(ops)) {
        if (after === undefined) continue
        const known = openAt(after)?.ops
        for (const op of together) {
          const isSame = known !== undefined && open.indexOf(known, op).some((at) => isSameAt(known, at, op))
          verdicts.set(op, isSame ? 'same' : 'other')
        }
      }
      return verdicts
    },

    maxClock: (treeId) => treeOf(treeId).clock,
    countOf: (treeId) => treeOf(treeId).ops,
    isDeleted,

    readTree: (treeId, { through, maxBytes }) => {
      const found: TreeOperation[] = []
      let bytes = 0
      if (endOf() === 0) return { ops: found, bytes }
      // A row of ids that is gone would hide the segment that it names.
      treeOf(treeId)
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
      if (!hasSettledTables(db)) db.exec(createSettledTables)
      statements.putSegment.run(segment)
      const { after } = segment
      for (const row of idRowsOf(ops, from)) {
        statements.insertIds.run({ ...row, after, checksum: checksumOfIds(row, after) })
      }
      const trees = new Map<TreeId, SettledTree>()
      for (let at = from; at < ops.count; at++) {
        const treeId = ops.treeIdAt(at)
        const tree = trees.get(treeId) ?? emptyTree
        const { parentId, targetId } = ops.placeAt(at)
        const isDelete = parentId === nullVertexId
        // A vertex that was deleted before has its row.
        const added = isDelete ? statements.insertDelete.run(storedDelete({ treeId, targetId })).changes : 0
        trees.set(treeId, {
          clock: Math.max(tree.clock, ops.clockAt(at)),
          ops: tree.ops + 1,
          deletes: tree.deletes + added,
        })
      }
      for (const [treeId, tree] of trees) statements.raiseTree.run({ treeId, ...tree })
      const { changes } = statements.deleteOpsThrough.run({ cursor: segment.cursor })
      if (changes !== ops.count - from)
        throw new WrongContentError(`${changes} rows of ${ops.count - from} are there`)
    },
  }
}

/** A page that names one row twice may have lost another. */
const outOfOrder = (rows: string): Error => new WrongContentError(`the ${rows} are not in order`)

function isBehind(row: IdRow, before: IdRow): boolean {
  return row.peerId > before.peerId || (row.peerId === before.peerId && row.last > before.last)
}

function isSameAt(known: OpenBatch, at: number, op: TreeOperation): boolean {
  if (known.treeIdAt(at) !== op.treeId || known.peerIdAt(at) !== op.peerId) return false
  return known.hasContentAt(at, op, rowByOp(op).value ?? undefined)
}
