import { type Epoch, type LogId, nullVertexId, type SpaceId, type TreeId, type VertexId } from '@t69/protocol'
import { type RawBuilder, sql } from 'kysely'

import { createQueries } from '../sqlite/query.ts'
import type { SpaceSchema, TreeOpRow } from './space-schema.ts'

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

const one = sql.lit(1)

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

/** A log's statements: compiled once for the program, prepared once for each open file. */
export const spaceQueries = {
  head: query((q) => q.selectFrom('tree_ops').select('seq').orderBy('seq', 'desc').limit(one)),
  compareOp: query((q, op: TreeOpRow) =>
    q
      .selectFrom('tree_ops')
      .select(isSameContent(op).as('isSame'))
      .where('treeId', '=', op.treeId)
      .where('clock', '=', op.clock)
      .where('peerId', '=', op.peerId),
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
  insertOp: query((q, given: SpaceSchema['tree_ops']) =>
    q.insertInto('tree_ops').values({
      seq: given.seq,
      clock: given.clock,
      peerId: given.peerId,
      treeId: given.treeId,
      spaceId: given.spaceId,
      targetId: given.targetId,
      parentId: given.parentId,
      key: given.key,
      value: given.value,
    }),
  ),
  opsAfter: query((q, given: { after: number }) =>
    q
      .selectFrom('tree_ops')
      .select(opColumns)
      .$assertType<TreeOpRow>()
      .where('seq', '>', given.after)
      .orderBy('seq'),
  ),
  opsOfTree: query((q, given: { treeId: TreeId; through: number }) =>
    q
      .selectFrom('tree_ops')
      .select(opColumns)
      .$assertType<TreeOpRow>()
      .where('treeId', '=', given.treeId)
      .where('seq', '<=', given.through)
      .orderBy('clock')
      .orderBy('peerId'),
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
  size: pragma((q) =>
    q
      .selectFrom(['pragma_page_count', 'pragma_freelist_count'])
      .select(['page_count as pages', 'freelist_count as free']),
  ),
  spaces: query((q) => q.selectFrom('spaces').select(['id', 'log_id'])),
  insertSpace: query((q, given: { id: SpaceId; createdAt: number; logId: LogId }) =>
    q.insertInto('spaces').values({ id: given.id, created_at: given.createdAt, log_id: given.logId }),
  ),
  setLogId: query((q, given: { id: SpaceId; logId: LogId }) =>
    q.updateTable('spaces').set({ log_id: given.logId }).where('id', '=', given.id),
  ),
  lastEpoch: query((q) => q.selectFrom('epochs').select('epoch').orderBy('after', 'desc').limit(one)),
  epoch: query((q, given: { epoch: Epoch }) =>
    q.selectFrom('epochs').select('after').where('epoch', '=', given.epoch),
  ),
  epochAfter: query((q, given: { after: number }) =>
    q.selectFrom('epochs').select('after').where('after', '>', given.after).orderBy('after').limit(one),
  ),
  insertEpoch: query((q, given: SpaceSchema['epochs']) =>
    q.insertInto('epochs').values({ epoch: given.epoch, after: given.after }),
  ),
}
