import { type Epoch, type LogId, randomHexId, type SpaceId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import { type DatabaseFiles, DisplacedFileError } from '../sqlite/database-files.ts'
import { prepareAll } from '../sqlite/query.ts'
import { ForeignFileError, onStorage } from './on-storage.ts'
import type { OpLog } from './op-log.ts'
import { opByRow, rowByOp } from './op-row.ts'
import { spaceQueries } from './space-queries.ts'
import type { TreeOpRow } from './space-schema.ts'

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
  }: {
    readonly spaceId: SpaceId
    readonly epoch: Epoch
    readonly files: DatabaseFiles
    readonly now: () => number
    /** The content of the file is wrong, or may be. */
    readonly damaged: () => void
    /** The log is being closed, and is no longer the file at its path. */
    readonly displaced: () => void
  },
): OpLog {
  const onFile = <Result>(run: () => Result): Result => onStorage(db.name, run, damaged)
  const statements = prepareAll(db, spaceQueries)
  const pageSize = Number(db.pragma('page_size', { simple: true }))
  let logId = findOrMakeLogId()
  let head = statements.head.get({})?.seq ?? 0
  // The epoch of the newest operation; undefined in an empty log.
  let lastEpoch = statements.lastEpoch.get({})?.epoch

  function findOrMakeLogId(): LogId {
    const rows = statements.spaces.all({})
    const own = rows.find((row) => row.id === spaceId)
    if (own !== undefined) return own.log_id
    if (rows.length > 0) throw new ForeignFileError('it is the file of another space')
    const made = randomHexId() as LogId
    statements.insertSpace.run({ id: spaceId, createdAt: now(), logId: made })
    return made
  }

  /** The last position of an epoch; undefined for an epoch that never committed here. */
  function endOf(epoch: Epoch): number | undefined {
    const begun = statements.epoch.get({ epoch })
    return begun && (statements.epochAfter.get({ after: begun.after })?.after ?? head)
  }

  const insertAll = db.transaction((rows: readonly TreeOpRow[]) => {
    // Another program has written here through SQLite, to restore a copy for example.
    if ((statements.head.get({})?.seq ?? 0) !== head) {
      throw new DisplacedFileError(`another program wrote to it: its log ended at ${head}`)
    }
    if (lastEpoch !== ownEpoch) statements.insertEpoch.run({ epoch: ownEpoch, after: head })
    let seq = head
    for (const row of rows) statements.insertOp.run({ seq: ++seq, ...row })
    return seq
  })

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

    compare: (op) =>
      onFile(() => {
        const row = statements.compareOp.get(rowByOp(op))
        if (row === undefined) return 'absent'
        return row.isSame === 1 ? 'same' : 'other'
      }),

    wasDeleted: ({ treeId, targetId }) =>
      onFile(() => statements.deleteOf.get({ treeId, targetId }) !== undefined),

    maxClock: (treeId) => onFile(() => statements.maxClock.get({ treeId })?.clock ?? 0),

    append: (ops) =>
      onFile(() => {
        const after = head
        if (ops.length === 0) return { after, cursor: after }
        check()
        const cursor = insertAll.immediate(ops.map(rowByOp))
        // Again after the commit: a commit to a file that is gone must not be acknowledged.
        files.checkPlace()
        files.noteContent()
        // The fields change only once everything has succeeded.
        head = cursor
        lastEpoch = ownEpoch
        return { after, cursor: head }
      }),

    read: (after, { maxOps, maxBytes }) =>
      onFile(() => {
        const ops = []
        let bytes = 0
        for (const row of statements.opsAfter.iterate({ after })) {
          bytes += bytesPerOp + (row.value?.length ?? 0)
          if (ops.length > 0 && (bytes > maxBytes || ops.length >= maxOps)) break
          ops.push(opByRow(row))
        }
        return ops
      }),

    readTree: (treeId, { through = head, maxBytes = Infinity } = {}) =>
      onFile(() => {
        const ops = []
        let bytes = 0
        for (const row of statements.opsOfTree.iterate({ treeId, through })) {
          bytes += row.value?.length ?? 0
          if (bytes > maxBytes) break
          ops.push(opByRow(row))
        }
        return { ops, bytes }
      }),

    countTree: (treeId, atMost) => onFile(() => statements.countTree.get({ treeId, atMost })?.count ?? 0),

    check: () => onFile(check),
    close: () => onFile(closeFile),
  }
}
