import {
  type Commit,
  commitSchema,
  type Epoch,
  type LogId,
  type PeerId,
  randomHexId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import { type DatabaseFiles, DisplacedFileError } from '../sqlite/database-files.ts'
import { prepareWhenUsed } from '../sqlite/query.ts'
import { WrongContentError } from '../sqlite/storage-failure.ts'
import { type CommitRow, commitRows } from './commit-rows.ts'
import { defaultSettling, nextSegment, type Settling } from './next-segment.ts'
import { ForeignFileError, onStorage } from './on-storage.ts'
import type { KeptAccess, OpLog } from './op-log.ts'
import { opByStoredRow, rowByOp, storedRow } from './op-row.ts'
import type { OpenSegments } from './open-segments.ts'
import type { StoredSegment } from './segment.ts'
import { createSettledOps } from './settled-ops.ts'
import { spaceQueries } from './space-queries.ts'
import type { StoredOpRow, TreeOpRow } from './space-schema.ts'

/** Bytes that an operation counts against `PageBounds.maxBytes` besides its value: about what it takes in a batch. */
const bytesPerOp = 8

/** A space's log in a migrated database. The log owns the database from then on. */
export function openSqliteOpLog(
  db: Database,
  {
    spaceId,
    epoch: ownEpoch,
    files,
    now,
    damaged,
    displaced,
    segments,
    settling = defaultSettling,
  }: {
    readonly spaceId: SpaceId
    readonly epoch: Epoch
    readonly files: DatabaseFiles
    readonly now: () => number
    /** The content of the file is wrong, or may be. */
    readonly damaged: () => void
    /** The log is being closed, and is no longer the file at its path. */
    readonly displaced: () => void
    readonly segments: OpenSegments
    readonly settling?: Settling | undefined
  },
): OpLog {
  const onFile = <Result>(run: () => Result): Result => onStorage(db.name, run, damaged)
  const statements = prepareWhenUsed(db, spaceQueries)
  const pageSize = Number(db.pragma('page_size', { simple: true }))
  let logId = findOrMakeLogId()
  const checkedRows = new Set<number>()
  let areIndicesChecked = false
  const settled = createSettledOps(statements, segments)
  let head = findHead()
  // The epoch of the newest operation; undefined in an empty log.
  let lastEpoch = statements.lastEpoch.get({})?.epoch
  // Who committed the newest operation; undefined in an empty log, and in one from before there were commits.
  let lastCommit: CommitRow | undefined = statements.lastCommit.get({})

  function findOrMakeLogId(): LogId {
    const rows = statements.spaces.all({})
    const own = rows.find((row) => row.id === spaceId)
    if (own !== undefined) return own.log_id
    if (rows.length > 0) throw new ForeignFileError('it is the file of another space')
    const made = randomHexId() as LogId
    statements.insertSpace.run({ id: spaceId, createdAt: now(), logId: made })
    return made
  }

  function findHead(): number {
    return statements.head.get({})?.seq ?? statements.lastSegment.get({})?.cursor ?? 0
  }

  /** The last position of an epoch; undefined for an epoch that never committed here. */
  function endOf(epoch: Epoch): number | undefined {
    const begun = statements.epoch.get({ epoch })
    return begun && (statements.epochAfter.get({ after: begun.after })?.after ?? head)
  }

  /** In a transaction. Another program may have written here through SQLite, to restore a copy for example. */
  function checkHead(): void {
    if (findHead() === head) return
    throw new DisplacedFileError(`another program wrote to it: its log ended at ${head}`)
  }

  /** The index of `tree_ops` refuses a second operation of an id, unless the first is settled. */
  function refuseSettled(ops: readonly TreeOperation[]): void {
    if (settled.end === 0) return
    const clocks = new Map<TreeId, number>()
    for (const op of ops) {
      const highest = clocks.get(op.treeId) ?? settled.maxClock(op.treeId)
      clocks.set(op.treeId, highest)
      if (op.clock <= highest && settled.has(op)) throw new Error('an operation is appended twice')
    }
  }

  /** Before an operation is refused because of a row: it may be the row that is wrong. Reads each but once, however large. */
  function checkRow(seq: number, { treeId, clock, peerId }: TreeOperation): void {
    if (checkedRows.has(seq)) return
    const [row] = statements.opsFrom.all({ after: seq - 1, atMost: 1 })
    const known = row && opByStoredRow(row)
    if (known?.treeId !== treeId || known.clock !== clock || known.peerId !== peerId) {
      throw new WrongContentError(`operation ${seq}: the index has another one there`)
    }
    checkedRows.add(seq)
  }

  /** Once, before somebody is told that the log lacks an operation: what finds them may have lost track of some. */
  function checkIndices(): void {
    if (areIndicesChecked) return
    for (const table of ['tree_ops', 'settled_ids']) {
      const verdict = String(db.pragma(`integrity_check(${table})`, { simple: true }))
      if (verdict !== 'ok') throw new WrongContentError(`${table}: ${verdict}`)
    }
    settled.checkIds()
    areIndicesChecked = true
  }

  function lookUp(ops: readonly TreeOperation[]): ReadonlyMap<TreeOperation, 'same' | 'other'> {
    if (ops.length > 0) checkIndices()
    const verdicts = settled.lookUp(ops)
    for (const op of ops) {
      if (verdicts.has(op)) continue
      const row = statements.compareOp.get(rowByOp(op))
      if (row?.isSame === 0) checkRow(row.seq, op)
      if (row !== undefined) verdicts.set(op, row.isSame === 1 ? 'same' : 'other')
    }
    return verdicts
  }

  const putSegment = db.transaction((segment: StoredSegment) => {
    checkHead()
    settled.put(segment)
  })

  /** The rows after a position. Throws `WrongContentError` where one is missing. */
  function* rowsAfter(after: number): Generator<StoredOpRow> {
    let seq = after
    for (const row of statements.opsAfter.iterate({ after })) {
      if (row.seq !== ++seq) throw new WrongContentError(`operation ${seq} is missing`)
      yield row
    }
  }

  const readTree = db.transaction((treeId: TreeId, through: number, maxBytes: number) => {
    // Another connection may have settled something since.
    settled.reload()
    let { ops, bytes } = settled.readTree(treeId, { through, maxBytes })
    // Read by position: rows are few once the rest has settled, and an index that rots would hide some.
    for (const row of bytes > maxBytes ? [] : rowsAfter(settled.end)) {
      if (row.seq > through) break
      const op = opByStoredRow(row)
      if (op.treeId !== treeId) continue
      bytes += row.value?.length ?? 0
      if (bytes > maxBytes) break
      ops.push(op)
    }
    ops.sort((a, b) => a.clock - b.clock || comparePeers(a.peerId, b.peerId))
    return { ops, bytes }
  })

  const insertAll = db.transaction((rows: readonly TreeOpRow[], commits: readonly CommitRow[]) => {
    checkHead()
    if (lastEpoch !== ownEpoch) statements.insertEpoch.run({ epoch: ownEpoch, after: head })
    let seq = head
    for (const row of rows) statements.insertOp.run(storedRow(++seq, row))
    for (const commit of commits) statements.insertCommit.run(commit)
    return seq
  })

  const isUnsettled = (): boolean => head - settled.end >= settling.keepOps + settling.minOps

  /** Gives back the room that rows took. What is left is copied: some 10 ms for a million operations that are settled. */
  function shrink(): void {
    const { pages, free } = statements.size.get({}) ?? { pages: 0, free: 0 }
    if (free > pages / 2) db.exec('vacuum')
  }

  function check(): void {
    files.checkPlace()
    try {
      files.checkContent()
    } catch (error) {
      damaged()
      throw error
    }
  }

  function closeFile(): void {
    if (!db.open) return
    try {
      files.checkPlace()
    } catch {
      displaced()
    }
    files.close()
  }

  return {
    get logId() {
      return logId
    },
    get head() {
      return head
    },
    get epoch() {
      return lastEpoch ?? ownEpoch
    },

    get bytes() {
      return onFile(() => {
        const { pages, free } = statements.size.get({}) ?? { pages: 0, free: 0 }
        return (pages - free) * pageSize
      })
    },

    get access(): KeptAccess | undefined {
      return onFile(() => {
        const { identity = null, accessId = null, seal = null } = statements.access.get({ id: spaceId }) ?? {}
        if (identity === null || accessId === null || seal === null) return undefined
        return { identity, accessId, seal }
      })
    },

    keepAccess: (access) =>
      onFile(() => {
        check()
        statements.keepAccess.run({ id: spaceId, ...access })
        files.noteContent()
      }),

    holds: (position) =>
      onFile(() => {
        if (position.logId !== logId || position.cursor > head) return false
        if (position.cursor === 0 || position.epoch === undefined) return true
        const end = endOf(position.epoch)
        return end !== undefined && position.cursor <= end
      }),

    renewLogId: () =>
      onFile(() => {
        const made = randomHexId() as LogId
        statements.setLogId.run({ id: spaceId, logId: made })
        files.noteContent()
        logId = made
        return made
      }),

    compare: (op) => onFile(() => lookUp([op]).get(op) ?? 'absent'),
    lookUp: (ops) => onFile(() => lookUp(ops)),

    wasDeleted: ({ treeId, targetId }) =>
      onFile(
        () =>
          statements.deleteOf.get({ treeId, targetId }) !== undefined ||
          settled.isDeleted({ treeId, targetId }),
      ),

    maxClock: (treeId) =>
      onFile(() => Math.max(statements.maxClock.get({ treeId })?.clock ?? 0, settled.maxClock(treeId))),

    append: (contributions, time) =>
      onFile(() => {
        const after = head
        const { rows, at } = commitRows(contributions, time, head, lastCommit)
        const ops = contributions.flatMap((contribution) => contribution.ops)
        if (ops.length === 0) return { after, cursor: after, at }
        check()
        refuseSettled(ops)
        const cursor = insertAll.immediate(ops.map(rowByOp), rows)
        // Again after the commit: a commit to a file that is gone must not be acknowledged.
        files.checkPlace()
        files.noteContent()
        // The fields change only once everything has succeeded.
        head = cursor
        lastEpoch = ownEpoch
        lastCommit = rows.at(-1) ?? lastCommit
        return { after, cursor: head, at }
      }),

    commits: ({ after, cursor }, atMost) =>
      onFile(() => {
        const commits: Commit[] = []
        if (after >= cursor) return commits
        const first = statements.commitAt.get({ after })
        commits.push(readCommit(after, first))
        for (const row of statements.commitsBetween.iterate({ after, cursor })) {
          if (commits.length >= atMost) break
          commits.push(readCommit(row.after, row))
        }
        return commits
      }),

    segmentAt: (after) => onFile(() => settled.segmentAt(after)),

    read: (after, { maxOps, maxBytes }) =>
      onFile(() => {
        const ops: TreeOperation[] = []
        let bytes = 0
        /** Whether the page has room for another operation. */
        const fits = (valueBytes: number): boolean => {
          bytes += bytesPerOp + valueBytes
          return ops.length === 0 || (bytes <= maxBytes && ops.length < maxOps)
        }
        while (after + ops.length < settled.end) {
          const opened = settled.openAt(after + ops.length)
          if (opened === undefined)
            throw new WrongContentError(`no segment has position ${after + ops.length + 1}`)
          for (let at = opened.index; at < opened.ops.count; at++) {
            if (!fits(opened.ops.valueBytesAt(at))) return ops
            ops.push(opened.ops.opAt(at))
          }
        }
        for (const row of rowsAfter(after + ops.length)) {
          if (!fits(row.value?.length ?? 0)) break
          ops.push(opByStoredRow(row))
        }
        return ops
      }),

    readTree: (treeId, { through = head, maxBytes = Infinity } = {}) =>
      onFile(() => readTree(treeId, through, maxBytes)),

    countTree: (treeId, atMost) =>
      onFile(() => {
        const ops = settled.countOf(treeId)
        if (ops >= atMost) return atMost
        return ops + (statements.countTree.get({ treeId, atMost: atMost - ops })?.count ?? 0)
      }),

    get isUnsettled() {
      return isUnsettled()
    },

    settle: () =>
      onFile(() => {
        check()
        const segment = nextSegment({ statements, settled, spaceId, head, settling })
        if (segment === undefined) return
        putSegment.immediate(segment)
        settled.reload()
        checkedRows.clear()
        if (!isUnsettled()) shrink()
        files.noteContent()
      }),

    check: () => onFile(check),
    close: () => {
      segments.clear()
      onFile(closeFile)
    },
  }
}

function comparePeers(a: PeerId, b: PeerId): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A row that is damaged says nothing: what it garbles must not keep devices from reading the operations. */
function readCommit(after: number, row: Pick<CommitRow, 'user' | 'at'> | undefined): Commit {
  const read = commitSchema.safeParse({ after, userId: row?.user, at: row?.at })
  return read.success ? read.data : { after, userId: null, at: 0 }
}
