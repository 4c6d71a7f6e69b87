import type { PeerId, TreeId, VertexId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { createQueries } from '../sqlite/query.ts'
import { settledTableNames, type SpaceSchema } from './space-schema.ts'

const query = createQueries<SpaceSchema>()

const one = sql.lit(1)

const anyOfThem = query((q) =>
  q
    .selectFrom(sql<{ name: string }>`sqlite_schema`.as('things'))
    .select('name')
    .where(
      'name',
      'in',
      settledTableNames.map((name) => sql.lit(name)),
    )
    .limit(one),
)

/**
 * Whether a file has the tables of settled operations. One of them is enough to say so: where damage took the others away, what
 * reads them fails. Where it took all, nothing seems to have settled, and the rows do not begin at position 1.
 */
export function hasSettledTables(db: Database): boolean {
  return anyOfThem(db).get({}) !== undefined
}

/** The statements about settled operations. They can be prepared once operations have settled. */
export const settledQueries = {
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
  idsOfTree: query((q, given: { treeId: TreeId; atMost: number }) =>
    q
      .selectFrom('settled_ids')
      .select(['treeId', 'peerId', 'first', 'last', 'after', 'clocks', 'checksum'])
      .where('treeId', '=', given.treeId)
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
    q.selectFrom('settled_trees').select(['clock', 'ops', 'deletes']).where('treeId', '=', given.treeId),
  ),
  raiseTree: query((q, given: SpaceSchema['settled_trees']) =>
    q
      .insertInto('settled_trees')
      .values({ treeId: given.treeId, clock: given.clock, ops: given.ops, deletes: given.deletes })
      .onConflict((conflict) =>
        conflict.column('treeId').doUpdateSet({
          clock: sql<number>`max(settled_trees.clock, excluded.clock)`,
          ops: sql<number>`settled_trees.ops + excluded.ops`,
          deletes: sql<number>`settled_trees.deletes + excluded.deletes`,
        }),
      ),
  ),
  settledDelete: query((q, given: { treeId: TreeId; targetId: VertexId }) =>
    q
      .selectFrom('settled_deletes')
      .select(['treeId', 'targetId', 'checksum'])
      .where('treeId', '=', given.treeId)
      .where('targetId', '=', given.targetId),
  ),
  deletesOfTree: query((q, given: { treeId: TreeId; atMost: number }) =>
    q
      .selectFrom('settled_deletes')
      .select(['treeId', 'targetId', 'checksum'])
      .where('treeId', '=', given.treeId)
      .limit(given.atMost),
  ),
  insertDelete: query((q, given: SpaceSchema['settled_deletes']) =>
    q
      .insertInto('settled_deletes')
      .values({ treeId: given.treeId, targetId: given.targetId, checksum: given.checksum })
      .onConflict((conflict) => conflict.doNothing()),
  ),
}
