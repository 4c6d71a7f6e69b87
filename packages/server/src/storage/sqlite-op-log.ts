import {
  type Epoch,
  type LogId,
  type PeerId,
  randomHexId,
  type SpaceId,
  type TreeId,
  type VertexId,
} from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { OpLog } from './op-log.ts'
import { opByRow, rowByOp } from './op-row.ts'
import { param, prepare } from './prepare.ts'
import { type SpaceSchema, spaceSql, type TreeOpRow } from './space-schema.ts'
import { ForeignFileError, onStorage } from './storage-failure.ts'

/** How much an operation counts against `PageBounds.maxBytes` besides its value: about what it takes in a batch. */
const bytesPerOp = 8

const opColumns = [
  'clock',
  'peerId',
  'treeId',
  'spaceId',
  'targetId',
  'parentId',
  'key',
  'value',
] as const satisfies (keyof TreeOpRow)[]

/** A space's log in a migrated database, which the log owns from here on. */
export function openSqliteOpLog(
  db: Database,
  { spaceId, epoch: ownEpoch, now }: { spaceId: SpaceId; epoch: Epoch; now: () => number },
): OpLog {
  const path = db.name
  const statements = prepareStatements(db)
  let logId = findOrMakeLogId()
  let head = statements.head.get({})?.seq ?? 0
  // The epoch of the newest operation: an empty log has none yet.
  let lastEpoch = statements.lastEpoch.get({})?.epoch

  function findOrMakeLogId(): LogId {
    const rows = statements.spaces.all({})
    const own = rows.find((row) => row.id === spaceId)
    if (own !== undefined) return own.log_id
    if (rows.length > 0) throw new ForeignFileError('it is the file of another space')
    const made = randomHexId() as LogId
    statements.insertSpace.run({ id: spaceId, created_at: now(), log_id: made })
    return made
  }

  /** The position that an epoch reached; undefined for one that never committed here. */
  function endOf(epoch: Epoch): number | undefined {
    const begun = statements.epoch.get({ epoch })
    return begun && (statements.epochAfter.get({ after: begun.after })?.after ?? head)
  }

  const insertAll = db.transaction((rows: readonly TreeOpRow[]) => {
    if (lastEpoch !== ownEpoch) statements.insertEpoch.run({ epoch: ownEpoch, after: head })
    let seq = head
    for (const row of rows) statements.insertOp.run({ seq: ++seq, ...row })
    return seq
  })

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

    holds: (position) =>
      onStorage(path, () => {
        if (position.logId !== logId || position.cursor > head) return false
        if (position.cursor === 0 || position.epoch === undefined) return true
        const end = endOf(position.epoch)
        return end !== undefined && position.cursor <= end
      }),

    renewLogId: () =>
      onStorage(path, () => {
        const made = randomHexId() as LogId
        statements.setLogId.run({ id: spaceId, log_id: made })
        logId = made
        return made
      }),

    find: ({ treeId, clock, peerId }) =>
      onStorage(path, () => {
        const row = statements.op.get({ treeId, clock, peerId })
        return row && opByRow(row)
      }),

    maxClock: (treeId) => onStorage(path, () => statements.maxClock.get({ treeId })?.clock ?? 0),

    append: (ops) =>
      onStorage(path, () => {
        const after = head
        if (ops.length === 0) return { after, cursor: after }
        // What is remembered changes only once the transaction is through.
        head = insertAll.immediate(ops.map(rowByOp))
        lastEpoch = ownEpoch
        return { after, cursor: head }
      }),

    read: (after, { maxOps, maxBytes }) =>
      onStorage(path, () => {
        const ops = []
        let bytes = 0
        for (const row of statements.opsAfter.iterate({ after })) {
          bytes += bytesPerOp + (row.value?.length ?? 0)
          if (ops.length > 0 && (bytes > maxBytes || ops.length >= maxOps)) break
          ops.push(opByRow(row))
        }
        return ops
      }),

    readTree: (treeId) =>
      onStorage(path, () => {
        const ops = []
        for (const row of statements.opsOfTree.iterate({ treeId })) ops.push(opByRow(row))
        return ops
      }),

    treeIds: () =>
      onStorage(path, () => {
        // One seek of the index a tree, where DISTINCT would read all of it.
        const ids: TreeId[] = []
        for (let id = statements.treeAfter.get({ after: '' })?.treeId; id;) {
          ids.push(id)
          id = statements.treeAfter.get({ after: id })?.treeId
        }
        return ids
      }),

    close: () => onStorage(path, () => db.close()),
  }
}

const one = sql.lit(1)

/** The hot path's SQL: compiled by Kysely and prepared once for each open file, run synchronously. */
function prepareStatements(db: Database) {
  const ops = spaceSql.selectFrom('tree_ops')
  const epochs = spaceSql.selectFrom('epochs')
  return {
    head: prepare<object, { seq: number }>(db, ops.select('seq').orderBy('seq', 'desc').limit(one)),
    op: prepare<{ treeId: TreeId; clock: number; peerId: PeerId }, TreeOpRow>(
      db,
      ops
        .select(opColumns)
        .where('treeId', '=', param<TreeId>('treeId'))
        .where('clock', '=', param<number>('clock'))
        .where('peerId', '=', param<PeerId>('peerId')),
    ),
    maxClock: prepare<{ treeId: TreeId }, { clock: number }>(
      db,
      ops.select('clock').where('treeId', '=', param<TreeId>('treeId')).orderBy('clock', 'desc').limit(one),
    ),
    insertOp: prepare<TreeOpRow & { seq: number }, unknown>(
      db,
      spaceSql.insertInto('tree_ops').values({
        seq: param<number>('seq'),
        clock: param<number>('clock'),
        peerId: param<PeerId>('peerId'),
        treeId: param<TreeId>('treeId'),
        spaceId: param<SpaceId>('spaceId'),
        targetId: param<VertexId>('targetId'),
        parentId: param<VertexId | null>('parentId'),
        key: param<string | null>('key'),
        value: param<string | null>('value'),
      }),
    ),
    opsAfter: prepare<{ after: number }, TreeOpRow>(
      db,
      ops.select(opColumns).where('seq', '>', param<number>('after')).orderBy('seq'),
    ),
    opsOfTree: prepare<{ treeId: TreeId }, TreeOpRow>(
      db,
      ops.select(opColumns).where('treeId', '=', param<TreeId>('treeId')).orderBy('clock').orderBy('peerId'),
    ),
    treeAfter: prepare<{ after: string }, { treeId: TreeId }>(
      db,
      ops.select('treeId').where('treeId', '>', param<TreeId>('after')).orderBy('treeId').limit(one),
    ),
    spaces: prepare<object, SpaceSchema['spaces']>(db, spaceSql.selectFrom('spaces').selectAll()),
    insertSpace: prepare<SpaceSchema['spaces'], unknown>(
      db,
      spaceSql.insertInto('spaces').values({
        id: param<SpaceId>('id'),
        created_at: param<number>('created_at'),
        log_id: param<LogId>('log_id'),
      }),
    ),
    setLogId: prepare<{ id: SpaceId; log_id: LogId }, unknown>(
      db,
      spaceSql
        .updateTable('spaces')
        .set({ log_id: param<LogId>('log_id') })
        .where('id', '=', param<SpaceId>('id')),
    ),
    lastEpoch: prepare<object, { epoch: Epoch }>(
      db,
      epochs.select('epoch').orderBy('after', 'desc').limit(one),
    ),
    epoch: prepare<{ epoch: Epoch }, { after: number }>(
      db,
      epochs.select('after').where('epoch', '=', param<Epoch>('epoch')),
    ),
    epochAfter: prepare<{ after: number }, { after: number }>(
      db,
      epochs.select('after').where('after', '>', param<number>('after')).orderBy('after').limit(one),
    ),
    insertEpoch: prepare<SpaceSchema['epochs'], unknown>(
      db,
      spaceSql.insertInto('epochs').values({ epoch: param<Epoch>('epoch'), after: param<number>('after') }),
    ),
  }
}
