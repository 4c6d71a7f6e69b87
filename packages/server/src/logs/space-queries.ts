import { type Epoch, type LogId, nullVertexId, type SpaceId, type TreeId, type VertexId } from '@t69/protocol'
import { type RawBuilder, sql } from 'kysely'

import { createQueries, type prepareWhenUsed } from '../sqlite/query.ts'
import type { KeptAccess, LogRange } from './op-log.ts'
import { deletesIndexName, type SpaceSchema, type StoredOpRow, type TreeOpRow } from './space-schema.ts'

const query = createQueries<SpaceSchema>()

/** SQLite's pragmas, as the tables that it offers them as. */
interface PragmaTables {
  pragma_page_count: { page_count: number }
  pragma_freelist_count: { freelist_count: number }
}

const pragma = createQueries<PragmaTables>()

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

/** What it takes to read an operation and to see that it is as it was written. */
const storedColumns = ['seq', ...opColumns, 'checksum'] as const satisfies (keyof StoredOpRow)[]

const one = sql.lit(1)

/** Compares what an entry of the index of ids says with what is in its row. A join would be planned again at each use. */
const isRowOfEntry = sql<0 | 1>`(
  select row."treeId" is entry."treeId" and row."clock" is entry."clock" and row."peerId" is entry."peerId"
  from tree_ops as row where row.seq = entry.seq)`

/** The position that an entry of an index names. With the plus, SQLite looks for the entry and not for the row. */
const notByPosition = sql`+entry.seq`

/** SQLite's table of tables, as far as it is asked about. */
const schemaTable = sql<{ name: string }>`sqlite_schema`.as('things')

/**
 * Compares the content of a row with that of `op`. A value is read only where it is as long as the one that it is
 * compared with: `octet_length` looks at the row's header alone, and CASE, unlike AND, stops at the first branch
 * that holds.
 */
function isSameContent(op: TreeOpRow): RawBuilder<0 | 1> {
  return sql`case
  when "targetId" is not ${op.targetId} or "parentId" is not ${op.parentId} or "key" is not ${op.key} then 0
  when octet_length("value") is not octet_length(${op.value}) then 0
  else "value" is ${op.value} end`
}

/** A log's statements: compiled once for the program, prepared for each open file when they are used first. */
export const spaceQueries = {
  /** The positions of the first and the last row. */
  rowEnds: query((q) =>
    q
      .selectFrom('tree_ops')
      .select('seq as last')
      .select(
        q.selectFrom('tree_ops').select('seq').orderBy('seq').limit(one).$asScalar().$notNull().as('first'),
      )
      .orderBy('seq', 'desc')
      .limit(one),
  ),
  /** `isThere` is 0 where damage has the index name the row of another operation. */
  compareOp: query((q, op: TreeOpRow) =>
    q
      .selectFrom('tree_ops as entry')
      .select(isSameContent(op).as('isSame'))
      .select(isRowOfEntry.as('isThere'))
      .select('seq')
      .where('treeId', '=', op.treeId)
      .where('clock', '=', op.clock)
      .where('peerId', '=', op.peerId),
  ),
  /** How many of the rows in a range the index of ids finds. */
  idsFound: query((q, given: LogRange) =>
    q
      .selectFrom('tree_ops as row')
      .select((rows) => rows.fn.countAll<number>().as('count'))
      .where('row.seq', '>', given.after)
      .where('row.seq', '<=', given.cursor)
      .where((row) =>
        row.exists(
          row
            .selectFrom('tree_ops as entry')
            .select('entry.seq')
            .whereRef('entry.treeId', '=', 'row.treeId')
            .whereRef('entry.clock', '=', 'row.clock')
            .whereRef('entry.peerId', '=', 'row.peerId')
            .whereRef('entry.spaceId', '=', 'row.spaceId')
            .where(notByPosition, '=', sql.ref('row.seq')),
        ),
      ),
  ),
  deletesIn: query((q, given: LogRange) =>
    q
      .selectFrom('tree_ops as row')
      .select((rows) => rows.fn.countAll<number>().as('count'))
      .where('row.seq', '>', given.after)
      .where('row.seq', '<=', given.cursor)
      .where(sql`+row."parentId"`, '=', sql.lit(nullVertexId)),
  ),
  /** How many of the deletions in a range their index finds. */
  deletesFound: query((q, given: LogRange) =>
    q
      .selectFrom('tree_ops as row')
      .select((rows) => rows.fn.countAll<number>().as('count'))
      .where('row.seq', '>', given.after)
      .where('row.seq', '<=', given.cursor)
      .where(sql`+row."parentId"`, '=', sql.lit(nullVertexId))
      .where((row) =>
        row.exists(
          row
            .selectFrom('tree_ops as entry')
            .select('entry.seq')
            .where('entry.parentId', '=', sql.lit(nullVertexId))
            .whereRef('entry.treeId', '=', 'row.treeId')
            .whereRef('entry.targetId', '=', 'row.targetId')
            .where(notByPosition, '=', sql.ref('row.seq')),
        ),
      ),
  ),
  deleteOf: query((q, given: { treeId: TreeId; targetId: VertexId }) =>
    q
      .selectFrom('tree_ops')
      .select('seq')
      .where('treeId', '=', given.treeId)
      .where('targetId', '=', given.targetId)
      // A literal, as in the condition of the index: with a parameter the index would not be used.
      .where('parentId', '=', sql.lit(nullVertexId))
      .limit(one),
  ),
  maxClock: query((q, given: { treeId: TreeId }) =>
    q
      .selectFrom('tree_ops')
      .select('clock')
      .where('treeId', '=', given.treeId)
      .orderBy('clock', 'desc')
      .limit(one),
  ),
  opsAfter: query((q, given: { after: number }) =>
    q
      .selectFrom('tree_ops')
      .select(storedColumns)
      .$assertType<StoredOpRow>()
      .where('seq', '>', given.after)
      .orderBy('seq'),
  ),
  countTree: query((q, given: { treeId: TreeId; atMost: number }) =>
    q
      .selectFrom(
        q
          .selectFrom('tree_ops')
          .select('clock')
          .where('treeId', '=', given.treeId)
          .limit(given.atMost)
          .as('some'),
      )
      .select((some) => some.fn.countAll<number>().as('count')),
  ),
  opsFrom: query((q, given: { after: number; atMost: number }) =>
    q
      .selectFrom('tree_ops')
      .select(storedColumns)
      .$assertType<StoredOpRow>()
      .where('seq', '>', given.after)
      .orderBy('seq')
      .limit(given.atMost),
  ),
  size: pragma((q) =>
    q
      .selectFrom(['pragma_page_count', 'pragma_freelist_count'])
      .select(['page_count as pages', 'freelist_count as free']),
  ),
  spaces: query((q) => q.selectFrom('spaces').select(['id', 'log_id'])),
  insertSpace: query((q, given: { id: SpaceId; createdAt: number; logId: LogId }) =>
    q.insertInto('spaces').values({
      id: given.id,
      created_at: given.createdAt,
      log_id: given.logId,
      identity: sql.lit(null),
      access_id: sql.lit(null),
      access_seal: sql.lit(null),
    }),
  ),
  setLogId: query((q, given: { id: SpaceId; logId: LogId }) =>
    q.updateTable('spaces').set({ log_id: given.logId }).where('id', '=', given.id),
  ),
  access: query((q, given: { id: SpaceId }) =>
    q
      .selectFrom('spaces')
      .select(['identity', 'access_id as accessId', 'access_seal as seal'])
      .where('id', '=', given.id),
  ),
  keepAccess: query((q, given: KeptAccess & { id: SpaceId }) =>
    q
      .updateTable('spaces')
      .set({ identity: given.identity, access_id: given.accessId, access_seal: given.seal })
      .where('id', '=', given.id),
  ),
  epochs: query((q) =>
    q.selectFrom('epochs').select(['epoch', 'after', 'checksum', 'is_last']).orderBy('after'),
  ),
  epoch: query((q, given: { epoch: Epoch }) =>
    q.selectFrom('epochs').select('after').where('epoch', '=', given.epoch),
  ),
  epochAfter: query((q, given: { after: number }) =>
    q.selectFrom('epochs').select('after').where('after', '>', given.after).orderBy('after').limit(one),
  ),
  /** The newest first. */
  commitsUpTo: query((q, given: { after: number; atMost: number }) =>
    q
      .selectFrom('commits')
      .select(['after', 'at', 'user', 'checksum', 'is_last'])
      .where('after', '<=', given.after)
      .orderBy('after', 'desc')
      .limit(given.atMost),
  ),
  commitsAfter: query((q, given: { after: number }) =>
    q
      .selectFrom('commits')
      .select(['after', 'at', 'user', 'checksum', 'is_last'])
      .where('after', '>', given.after)
      .orderBy('after'),
  ),
  deleteCommitsFrom: query((q, given: { after: number }) =>
    q.deleteFrom('commits').where('after', '>=', given.after),
  ),
  commitsBetween: query((q, given: { after: number; cursor: number }) =>
    q
      .selectFrom('commits')
      .select('after')
      .where('after', '>', given.after)
      .where('after', '<', given.cursor)
      .orderBy('after'),
  ),
  insertCommit: query((q, given: SpaceSchema['commits']) =>
    q.insertInto('commits').values({
      after: given.after,
      at: given.at,
      user: given.user,
      checksum: given.checksum,
      is_last: given.is_last,
    }),
  ),
  /** For the last row of commits, when others follow. */
  unmarkCommit: query((q, given: { after: number }) =>
    q
      .updateTable('commits')
      .set({ is_last: sql.lit(0) })
      .where('after', '=', given.after),
  ),
  /** Counts rows of commits, up to `atMost`. */
  countCommits: query((q, given: { atMost: number }) =>
    q
      .selectFrom(q.selectFrom('commits').select('after').limit(given.atMost).as('some'))
      .select((some) => some.fn.countAll<number>().as('count')),
  ),
  insertEpoch: query((q, given: SpaceSchema['epochs']) =>
    q.insertInto('epochs').values({
      epoch: given.epoch,
      after: given.after,
      checksum: given.checksum,
      is_last: given.is_last,
    }),
  ),
  /** For the last row of epochs, when another follows. */
  unmarkEpoch: query((q, given: { after: number }) =>
    q
      .updateTable('epochs')
      .set({ is_last: sql.lit(0) })
      .where('after', '=', given.after),
  ),
  deletesIndex: query((q) =>
    q.selectFrom(schemaTable).select('name').where('name', '=', sql.lit(deletesIndexName)),
  ),
}

export type SpaceStatements = ReturnType<typeof prepareWhenUsed<typeof spaceQueries>>
