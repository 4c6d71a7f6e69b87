import {
  type Epoch,
  type LogId,
  nullVertexId,
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
import { transactionWhenUsed } from '../sqlite/transaction.ts'
import {
  areUnmarked,
  commitRows,
  endOfCommits,
  readCommits,
  type StoredCommitRow,
  storedCommitRows,
} from './commit-rows.ts'
import { lastEpochOf, storedEpochRow } from './epoch-rows.ts'
import { createOpInserter } from './insert-ops.ts'
import { defaultSettling, maxRows, nextSegment, type Settling } from './next-segment.ts'
import { ForeignFileError, onStorage } from './on-storage.ts'
import type { KeptAccess, OpLog } from './op-log.ts'
import { opByStoredRow, rowByOp } from './op-row.ts'
import type { OpenSegments } from './open-segments.ts'
import { createRowCheck, hasDeletesIndex } from './row-check.ts'
import type { StoredSegment } from './segment.ts'
import { createSettledOps } from './settled-ops.ts'
import { spaceQueries } from './space-queries.ts'
import { createDeletesIndex, type StoredOpRow } from './space-schema.ts'

/** Bytes that an operation counts against `PageBounds.maxBytes` besides its value: about what it takes in a batch. */
const bytesPerOp = 8

/** Rows of commits that are checked at once: some 1 ms. */
const maxChecked = 10_000

/** A space's log in a migrated database. The log owns the database from then on. */
export function openSqliteOpLog(
  db: Database,
  {
    spaceId,
    path,
    epoch: givenEpoch,
    files,
    now,
    damaged,
    displaced,
    segments,
    settling = defaultSettling,
  }: {
    readonly spaceId: SpaceId
    readonly path: string
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
  const onFile = <Result>(run: () => Result): Result => onStorage(path, run, damaged)
  const statements = prepareWhenUsed(db, spaceQueries)
  const pageSize = Number(db.pragma('page_size', { simple: true }))
  let logId = findOrMakeLogId()
  const checkedRows = new Set<number>()
  const settled = createSettledOps(db, segments)
  checkFirstRow()
  let head = findHead()
  const checkSomeRows = createRowCheck(statements)
  let areCommitsChecked = false
  // That of the newest operation; undefined in an empty log.
  let lastEpoch = lastEpochOf(statements.epochs.iterate({}), head)
  const ownEpoch = findOwnEpoch()
  // Who committed the newest operation; undefined in an empty log, and where nobody knows.
  let lastCommit = endOfCommits(statements.commitsUpTo.get({ after: head - 1, atMost: 1 }))

  function findOrMakeLogId(): LogId {
    const rows = statements.spaces.all({})
    const own = rows.find((row) => row.id === spaceId)
    if (own !== undefined) return own.log_id
    if (rows.length > 0) throw new ForeignFileError('it is the file of another space')
    const made = randomHexId() as LogId
    statements.insertSpace.run({ id: spaceId, createdAt: now(), logId: made })
    return made
  }

  /** Another one if this process was here before another process: a copy that it had left was put back. */
  function findOwnEpoch(): Epoch {
    const wasBefore =
      lastEpoch?.epoch !== givenEpoch && statements.epoch.get({ epoch: givenEpoch }) !== undefined
    return wasBefore ? (randomHexId() as Epoch) : givenEpoch
  }

  function findHead(): number {
    return statements.rowEnds.get({})?.last ?? settled.findEnd()
  }

  /** The tables of settled operations may have gone with all that was in them. */
  function checkFirstRow(): void {
    const { first = settled.end + 1 } = statements.rowEnds.get({}) ?? {}
    if (first !== settled.end + 1) throw new WrongContentError(`operation ${settled.end + 1} is missing`)
  }

  /** The last position of an epoch; undefined for an epoch that never committed here. */
  function endOf(epoch: Epoch): number | undefined {
    if (epoch === lastEpoch?.epoch) return head
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

  /**
   * Once, before something is said of commits from before it showed that a row is gone: the table may have lost track of some.
   * Where there are more rows than are checked at once, that shows when the file is read through.
   */
  function checkOldCommits(): void {
    if (areCommitsChecked) return
    const { count } = statements.countCommits.get({ atMost: maxChecked + 1 }) ?? { count: 0 }
    if (count <= maxChecked) {
      const verdict = String(db.pragma('integrity_check(commits)', { simple: true }))
      if (verdict !== 'ok') throw new WrongContentError(`commits: ${verdict}`)
    }
    areCommitsChecked = true
  }

  const checkRows = (): boolean => checkSomeRows({ after: settled.end, cursor: head })

  /** Before something is said of what is not there. */
  function checkAllRows(): void {
    while (!checkRows());
  }

  function lookUp(ops: readonly TreeOperation[]): ReadonlyMap<TreeOperation, 'same' | 'other'> {
    if (ops.length > 0) checkAllRows()
    const verdicts = settled.lookUp(ops)
    for (const op of ops) {
      if (verdicts.has(op)) continue
      const row = statements.compareOp.get(rowByOp(op))
      if (row !== undefined && (row.isThere === 0 || row.isSame === 0)) checkRow(row.seq, op)
      if (row !== undefined) verdicts.set(op, row.isSame === 1 ? 'same' : 'other')
    }
    return verdicts
  }

  const putSegment = transactionWhenUsed(db, 'immediate', (segment: StoredSegment) => {
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

  const readTree = transactionWhenUsed(
    db,
    'deferred',
    (treeId: TreeId, through: number, maxBytes: number) => {
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
    },
  )

  const insertOps = createOpInserter(db)
  const insertAll = transactionWhenUsed(
    db,
    'immediate',
    (ops: readonly TreeOperation[], commits: readonly StoredCommitRow[]) => {
      checkHead()
      const begun = { epoch: ownEpoch, after: head }
      if (lastEpoch?.epoch !== ownEpoch) {
        if (lastEpoch !== undefined) statements.unmarkEpoch.run(lastEpoch)
        statements.insertEpoch.run(storedEpochRow(begun, lastEpoch))
      }
      insertOps(ops, head)
      if (ops.some(({ parentId }) => parentId === nullVertexId) && !hasDeletesIndex(statements))
        db.exec(createDeletesIndex)
      // Nothing but damage has put a row behind the head.
      if (commits.length > 0) statements.deleteCommitsFrom.run({ after: head })
      if (commits.length > 0 && lastCommit !== undefined) statements.unmarkCommit.run(lastCommit)
      for (const commit of commits) statements.insertCommit.run(commit)
    },
  )

  const isUnsettled = (): boolean => head - settled.end >= settling.keepOps + settling.minOps

  /** Gives back the room that rows took. What is left is copied: some 10 ms for a million operations that are settled. */
  function shrink(): void {
    const { pages, free } = statements.size.get({}) ?? { pages: 0, free: 0 }
    if (free > pages / 2) db.exec('vacuum')
  }

  function check(): void {
    if (!files.isChanged()) return
    damaged()
    throw new DisplacedFileError('another program wrote into it while it was in use')
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
      return lastEpoch?.epoch ?? ownEpoch
    },

    isReadOnly: db.readonly,
    get bytes() {
      return onFile(() => {
        const { pages, free } = statements.size.get({}) ?? { pages: 0, free: 0 }
        return (pages - free) * pageSize
      })
    },

    get bytesAtMost() {
      return files.bytes
    },

    get access(): KeptAccess | undefined {
      return onFile(() => {
        const { identity, accessId, seal } = statements.access.get({ id: spaceId }) ?? {}
        // Damage can make a value one of another type.
        if (typeof identity !== 'string' || typeof accessId !== 'string' || typeof seal !== 'string')
          return undefined
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

    checkRows: () => onFile(checkRows),
    compare: (op) => onFile(() => lookUp([op]).get(op) ?? 'absent'),
    lookUp: (ops) => onFile(() => lookUp(ops)),
    readTogether: (ops) => onFile(() => [...settled.bySegment(ops).values()]),

    wasDeleted: ({ treeId, targetId }) =>
      onFile(() => {
        checkAllRows()
        const isInRows =
          hasDeletesIndex(statements) && statements.deleteOf.get({ treeId, targetId }) !== undefined
        return isInRows || settled.isDeleted({ treeId, targetId })
      }),

    maxClock: (treeId) =>
      onFile(() => {
        checkAllRows()
        return Math.max(statements.maxClock.get({ treeId })?.clock ?? 0, settled.maxClock(treeId))
      }),

    append: (contributions, time) =>
      onFile(() => {
        const after = head
        const { rows, at } = commitRows(contributions, time, head, lastCommit)
        const ops = contributions.flatMap((contribution) => contribution.ops)
        if (ops.length === 0) return { after, cursor: after, at }
        check()
        refuseSettled(ops)
        insertAll(ops, storedCommitRows(rows, lastCommit))
        // Again after the commit: a commit to a file that is gone must not be acknowledged.
        files.noteCommit()
        // The fields change only once everything has succeeded.
        head = after + ops.length
        if (lastEpoch?.epoch !== ownEpoch) lastEpoch = { epoch: ownEpoch, after }
        lastCommit = rows.at(-1) ?? lastCommit
        return { after, cursor: head, at }
      }),

    commits: ({ after, cursor }, atMost) =>
      onFile(() => {
        const rows: StoredCommitRow[] = statements.commitsUpTo.all({ after, atMost: 2 }).toReversed()
        let isWhole = true
        for (const row of statements.commitsAfter.iterate({ after })) {
          rows.push(row)
          isWhole = row.after < cursor && rows.length <= atMost + 2
          if (!isWhole) break
        }
        if (areUnmarked(rows, isWhole ? rows.at(-1) : undefined)) checkOldCommits()
        return readCommits(rows, { after, cursor }, atMost)
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
    get isOverdue() {
      return head - settled.end > (settling.maxRows ?? maxRows)
    },

    settle: () =>
      onFile(() => {
        check()
        const segment = nextSegment({ statements, settled, spaceId, head, settling })
        if (segment === undefined) return
        putSegment(segment)
        settled.reload()
        checkedRows.clear()
        try {
          if (!isUnsettled()) shrink()
        } finally {
          // Also where there is no room to shrink: the segment is in the file, and nobody else wrote it.
          files.noteContent()
        }
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
