import {
  type Epoch,
  type LogId,
  nullVertexId,
  type PeerId,
  type SpaceId,
  type TreeId,
  type VertexId,
} from '@t69/protocol'
import { type RawBuilder, sql } from 'kysely'

import { createQueries, type prepareWhenUsed } from '../sqlite/query.ts'
import type { KeptAccess } from './op-log.ts'
import type { SpaceSchema, StoredOpRow, TreeOpRow } from './space-schema.ts'

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
  head: query((q) => q.selectFrom('tree_ops').select('seq').orderBy('seq', 'desc').limit(one)),
  compareOp: query((q, op: TreeOpRow) =>
    q
      .selectFrom('tree_ops')
      .select(isSameContent(op).as('isSame'))
      .select('seq')
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
      checksum: given.checksum,
    }),
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
  deleteOpsThrough: query((q, given: { cursor: number }) =>
    q.deleteFrom('tree_ops').where('seq', '<=', given.cursor),
  ),
  lastSegment: query((q) =>
    q.selectFrom('segments').select(['after', 'cursor', 'bytes']).orderBy('after', 'desc').limit(one),
  ),
  /** The segment that has position `after + 1`, if there is one: `cursor` tells. */
  segmentAt: query((q, given: { after: number }) =>
    q
      .selectFrom('segments')
      .select(['after', 'cursor', 'bytes', 'page', 'checksum'])
      .where('after', '<=', given.after)
      .orderBy('after', 'desc')
      .limit(one),
  ),
  putSegment: query((q, given: SpaceSchema['segments']) =>
    q
      .insertInto('segments')
      .values({
        after: given.after,
        cursor: given.cursor,
        bytes: given.bytes,
        page: given.page,
        checksum: given.checksum,
      })
      .onConflict((conflict) =>
        conflict.column('after').doUpdateSet((put) => ({
          cursor: put.ref('excluded.cursor'),
          bytes: put.ref('excluded.bytes'),
          page: put.ref('excluded.page'),
          checksum: put.ref('excluded.checksum'),
        })),
      ),
  ),
  /** Where an operation of this id may be. `upTo` is how far a row reaches that has the clock. */
  idsAround: query((q, given: { treeId: TreeId; peerId: PeerId; clock: number; upTo: number }) =>
    q
      .selectFrom('settled_ids')
      .select(['after', 'first', 'last', 'clocks', 'checksum'])
      .where('treeId', '=', given.treeId)
      .where('peerId', '=', given.peerId)
      .where('last', '>=', given.clock)
      .where('last', '<=', given.upTo)
      .where('first', '<=', given.clock),
  ),
  someIds: query((q, given: { atMost: number }) =>
    q
      .selectFrom('settled_ids')
      .select(['treeId', 'peerId', 'first', 'last', 'after', 'clocks', 'checksum'])
      .limit(given.atMost),
  ),
  segmentsOfTree: query((q, given: { treeId: TreeId }) =>
    q
      .selectFrom('settled_ids')
      .select('after')
      .distinct()
      .where('treeId', '=', given.treeId)
      .orderBy('after'),
  ),
  insertIds: query((q, given: SpaceSchema['settled_ids']) =>
    q.insertInto('settled_ids').values({
      treeId: given.treeId,
      peerId: given.peerId,
      last: given.last,
      first: given.first,
      after: given.after,
      clocks: given.clocks,
      checksum: given.checksum,
    }),
  ),
  settledTree: query((q, given: { treeId: TreeId }) =>
    q.selectFrom('settled_trees').select(['clock', 'ops']).where('treeId', '=', given.treeId),
  ),
  raiseTree: query((q, given: SpaceSchema['settled_trees']) =>
    q
      .insertInto('settled_trees')
      .values({ treeId: given.treeId, clock: given.clock, ops: given.ops })
      .onConflict((conflict) =>
        conflict.column('treeId').doUpdateSet({
          clock: sql<number>`max(settled_trees.clock, excluded.clock)`,
          ops: sql<number>`settled_trees.ops + excluded.ops`,
        }),
      ),
  ),
  settledDelete: query((q, given: { treeId: TreeId; targetId: VertexId }) =>
    q
      .selectFrom('settled_deletes')
      .select('targetId')
      .where('treeId', '=', given.treeId)
      .where('targetId', '=', given.targetId),
  ),
  insertDelete: query((q, given: SpaceSchema['settled_deletes']) =>
    q
      .insertInto('settled_deletes')
      .values({ treeId: given.treeId, targetId: given.targetId })
      .onConflict((conflict) => conflict.doNothing()),
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
  lastEpoch: query((q) => q.selectFrom('epochs').select('epoch').orderBy('after', 'desc').limit(one)),
  epoch: query((q, given: { epoch: Epoch }) =>
    q.selectFrom('epochs').select('after').where('epoch', '=', given.epoch),
  ),
  epochAfter: query((q, given: { after: number }) =>
    q.selectFrom('epochs').select('after').where('after', '>', given.after).orderBy('after').limit(one),
  ),
  lastCommit: query((q) =>
    q.selectFrom('commits').select(['after', 'at', 'user']).orderBy('after', 'desc').limit(one),
  ),
  commitAt: query((q, given: { after: number }) =>
    q
      .selectFrom('commits')
      .select(['at', 'user'])
      .where('after', '<=', given.after)
      .orderBy('after', 'desc')
      .limit(one),
  ),
  commitsBetween: query((q, given: { after: number; cursor: number }) =>
    q
      .selectFrom('commits')
      .select(['after', 'at', 'user'])
      .where('after', '>', given.after)
      .where('after', '<', given.cursor)
      .orderBy('after'),
  ),
  insertCommit: query((q, given: SpaceSchema['commits']) =>
    q.insertInto('commits').values({ after: given.after, at: given.at, user: given.user }),
  ),
  insertEpoch: query((q, given: SpaceSchema['epochs']) =>
    q.insertInto('epochs').values({ epoch: given.epoch, after: given.after }),
  ),
}

export type SpaceStatements = ReturnType<typeof prepareWhenUsed<typeof spaceQueries>>
