import {
  nullVertexId,
  type Epoch,
  type LogId,
  type PeerId,
  type SpaceId,
  type TreeId,
  type VertexId,
} from '@t69/protocol'
import { type Compilable, type RawBuilder, sql } from 'kysely'

import { compileQuery, param } from '../sqlite/prepare.ts'
import { type SpaceSchema, spaceSql, type TreeOpRow } from './space-schema.ts'

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
 * A value is read only where it is as long as the one that it is compared with: `octet_length` looks at the
 * row's header alone, and CASE, unlike AND, stops at the first branch that holds.
 */
const isSameContent = sql<0 | 1>`case
  when "targetId" is not @targetId or "parentId" is not @parentId or "key" is not @key then 0
  when octet_length("value") is not octet_length(@value) then 0
  else "value" is @value end`

const ops = spaceSql.selectFrom('tree_ops')
const epochs = spaceSql.selectFrom('epochs')

/** Raw SQL as what is compiled like any other query. */
function rawQuery<Row>(query: RawBuilder<Row>): Compilable<Row> {
  return { compile: () => query.compile(spaceSql) }
}

/** A log's statements: compiled by Kysely once for the program, prepared once for each open file. */
export const spaceQueries = {
  head: compileQuery<object, { seq: number }>(ops.select('seq').orderBy('seq', 'desc').limit(one)),
  op: compileQuery<{ treeId: TreeId; clock: number; peerId: PeerId }, TreeOpRow>(
    ops
      .select(opColumns)
      .where('treeId', '=', param<TreeId>('treeId'))
      .where('clock', '=', param<number>('clock'))
      .where('peerId', '=', param<PeerId>('peerId')),
  ),
  compareOp: compileQuery<TreeOpRow, { isSame: 0 | 1 }>(
    ops
      .select(isSameContent.as('isSame'))
      .where('treeId', '=', param<TreeId>('treeId'))
      .where('clock', '=', param<number>('clock'))
      .where('peerId', '=', param<PeerId>('peerId')),
  ),
  deleteOf: compileQuery<{ treeId: TreeId; targetId: VertexId }, { seq: number }>(
    ops
      .select('seq')
      .where('treeId', '=', param<TreeId>('treeId'))
      .where('targetId', '=', param<VertexId>('targetId'))
      // As the index has it, or it would not be used.
      .where('parentId', '=', sql.lit(nullVertexId))
      .limit(one),
  ),
  maxClock: compileQuery<{ treeId: TreeId }, { clock: number }>(
    ops.select('clock').where('treeId', '=', param<TreeId>('treeId')).orderBy('clock', 'desc').limit(one),
  ),
  insertOp: compileQuery<TreeOpRow & { seq: number }, unknown>(
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
  opsAfter: compileQuery<{ after: number }, TreeOpRow>(
    ops.select(opColumns).where('seq', '>', param<number>('after')).orderBy('seq'),
  ),
  opsOfTree: compileQuery<{ treeId: TreeId; through: number }, TreeOpRow>(
    ops
      .select(opColumns)
      .where('treeId', '=', param<TreeId>('treeId'))
      .where('seq', '<=', param<number>('through'))
      .orderBy('clock')
      .orderBy('peerId'),
  ),
  countTree: compileQuery<{ treeId: TreeId; atMost: number }, { count: number }>(
    spaceSql
      .selectFrom(
        ops
          .select('clock')
          .where('treeId', '=', param<TreeId>('treeId'))
          .limit(param<number>('atMost'))
          .as('some'),
      )
      .select((some) => some.fn.countAll<number>().as('count')),
  ),
  treeAfter: compileQuery<{ after: string }, { treeId: TreeId }>(
    ops.select('treeId').where('treeId', '>', param<TreeId>('after')).orderBy('treeId').limit(one),
  ),
  size: compileQuery<object, { pages: number; free: number }>(
    rawQuery(
      sql<{ pages: number; free: number }>`select page_count as pages, freelist_count as free
        from pragma_page_count, pragma_freelist_count`,
    ),
  ),
  spaces: compileQuery<object, SpaceSchema['spaces']>(spaceSql.selectFrom('spaces').selectAll()),
  insertSpace: compileQuery<SpaceSchema['spaces'], unknown>(
    spaceSql.insertInto('spaces').values({
      id: param<SpaceId>('id'),
      created_at: param<number>('created_at'),
      log_id: param<LogId>('log_id'),
    }),
  ),
  setLogId: compileQuery<{ id: SpaceId; log_id: LogId }, unknown>(
    spaceSql
      .updateTable('spaces')
      .set({ log_id: param<LogId>('log_id') })
      .where('id', '=', param<SpaceId>('id')),
  ),
  lastEpoch: compileQuery<object, { epoch: Epoch }>(
    epochs.select('epoch').orderBy('after', 'desc').limit(one),
  ),
  epoch: compileQuery<{ epoch: Epoch }, { after: number }>(
    epochs.select('after').where('epoch', '=', param<Epoch>('epoch')),
  ),
  epochAfter: compileQuery<{ after: number }, { after: number }>(
    epochs.select('after').where('after', '>', param<number>('after')).orderBy('after').limit(one),
  ),
  insertEpoch: compileQuery<SpaceSchema['epochs'], unknown>(
    spaceSql.insertInto('epochs').values({ epoch: param<Epoch>('epoch'), after: param<number>('after') }),
  ),
}
