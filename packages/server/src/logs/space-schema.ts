import {
  nullVertexId,
  type AccessId,
  type Epoch,
  type LogId,
  type PeerId,
  type SpaceId,
  type SpaceIdentity,
  type TreeId,
  type UserId,
  type VertexId,
} from '@t69/protocol'
import { type Compilable, type RawBuilder, sql } from 'kysely'

import { compiler } from '../sqlite/compiler.ts'
import type { Migrations } from '../sqlite/migrate.ts'

/**
 * The tables of a space's file. `tree_ops` mirrors t69's `localdb.ts`, plus `seq`, the position at which the operation
 * was committed. As the primary key, `seq` clusters the table in that order, and unlike a bare rowid it survives
 * `VACUUM`. A move has a NULL `key`. In a property, a NULL `value` is a removal, and the text `null` is a value.
 *
 * The four tables of settled operations are missing until operations settle (`createSettledTables`), and the index of
 * deletions is until something is deleted (`createDeletesIndex`). A file of an earlier version has them from the start.
 */
export interface SpaceSchema {
  tree_ops: TreeOpRow & {
    seq: number
    /** See `checksumOfRow`. Null in a row that is older than checksums. */
    checksum: number | null
  }
  /** One row. */
  spaces: {
    id: SpaceId
    created_at: number
    log_id: LogId
    /** Null, like the two below, in a file that is older than identities, until it is opened. */
    identity: SpaceIdentity | null
    /** Names the access list that was kept last. */
    access_id: AccessId | null
    /** That list, sealed. */
    access_seal: string | null
  }
  /** One row for each process that committed here. `after` is the head that it found, and strictly increases. */
  epochs: {
    epoch: Epoch
    after: number
    /** See epoch-rows.ts. Null in a row that is older than this column. */
    checksum: number | null
    /** 1 in the last row, and 0 in those before it. */
    is_last: number
  }
  /**
   * Who committed the operations after position `after`, up to the next row, and when, in Unix milliseconds. A row begins
   * where another user does, or another minute. Operations before the first row were committed before there was one.
   */
  commits: {
    after: number
    at: number
    user: UserId
    /** See commit-rows.ts. Null in a row that is older than this column. */
    checksum: number | null
    /** 1 in the last row, and 0 in those before it. Null in a row that is older than this column. */
    is_last: number | null
  }
  /**
   * The settled operations, which are no longer rows of `tree_ops`: positions `after + 1` to `cursor`. Segments follow each
   * other without a gap from position 0 on, and the first row of `tree_ops` follows the last.
   */
  segments: {
    after: number
    cursor: number
    /** Bytes of the batch. */
    bytes: number
    /** The batch under zstd. */
    page: Uint8Array
    /** See `checksumOf` in segment.ts. */
    checksum: number
  }
  /**
   * The ids of settled operations: the clocks of one peer in one tree, from `first` to `last`, in the segment after `after`.
   * See settled-ids.ts.
   */
  settled_ids: {
    treeId: TreeId
    peerId: PeerId
    last: number
    first: number
    after: number
    /** Which of the clocks there are, a bit each. Null: all. */
    clocks: Uint8Array | null
    checksum: number
  }
  /** The highest clock of the settled operations of a tree, how many they are, and how many vertices they delete. */
  settled_trees: { treeId: TreeId; clock: number; ops: number; deletes: number }
  /** Vertices that settled operations delete. */
  settled_deletes: {
    treeId: TreeId
    targetId: VertexId
    /** See settled-deletes.ts. Null in a row that is older than this column. */
    checksum: number | null
  }
}

export type StoredOpRow = SpaceSchema['tree_ops']

export interface TreeOpRow {
  clock: number
  peerId: PeerId
  treeId: TreeId
  spaceId: SpaceId
  targetId: VertexId
  parentId: VertexId | null
  key: string | null
  /** JSON text. */
  value: string | null
}

export const spaceMigrations: Migrations = {
  1: ({ schema }) => [
    schema
      .createTable('tree_ops')
      .addColumn('seq', 'integer', (column) => column.primaryKey())
      .addColumn('clock', 'integer', (column) => column.notNull())
      .addColumn('peerId', 'text', (column) => column.notNull())
      .addColumn('treeId', 'text', (column) => column.notNull())
      .addColumn('spaceId', 'text', (column) => column.notNull())
      .addColumn('targetId', 'text', (column) => column.notNull())
      .addColumn('parentId', 'text')
      .addColumn('key', 'text')
      .addColumn('value', 'text')
      // The key of t69's `localdb.ts`, but with the tree first, so that reading one tree uses it too.
      .addUniqueConstraint('tree_ops_id', ['treeId', 'clock', 'peerId', 'spaceId'])
      .modifyEnd(sql`strict`),
    schema
      .createTable('spaces')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .addColumn('log_id', 'text', (column) => column.notNull())
      .modifyEnd(sql`strict`),
    schema
      .createTable('epochs')
      .addColumn('epoch', 'text', (column) => column.primaryKey().notNull())
      .addColumn('after', 'integer', (column) => column.notNull())
      .modifyEnd(sql`strict`),
  ],
  // Finds deletions by their vertex. They are few; an index of all moves would make every move more expensive.
  2: ({ schema }) => [
    schema
      .createIndex('tree_ops_deletes')
      .on('tree_ops')
      .columns(['treeId', 'targetId'])
      .where(sql.ref('parentId'), '=', sql.lit(nullVertexId)),
  ],
  3: ({ schema }) => [
    schema.alterTable('spaces').addColumn('identity', 'text'),
    schema.alterTable('spaces').addColumn('access_id', 'text'),
    schema.alterTable('spaces').addColumn('access_seal', 'text'),
  ],
  4: ({ schema }) => [
    schema
      .createTable('commits')
      .addColumn('after', 'integer', (column) => column.primaryKey())
      .addColumn('at', 'integer', (column) => column.notNull())
      .addColumn('user', 'text', (column) => column.notNull())
      .modifyEnd(sql`strict`),
  ],
  5: ({ schema }) => [
    schema.alterTable('tree_ops').addColumn('checksum', 'integer'),
    schema
      .createTable('segments')
      .addColumn('after', 'integer', (column) => column.primaryKey())
      .addColumn('cursor', 'integer', (column) => column.notNull())
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('page', 'blob', (column) => column.notNull())
      .addColumn('checksum', 'integer', (column) => column.notNull())
      .modifyEnd(sql`strict`),
    schema
      .createTable('settled_ids')
      .addColumn('treeId', 'text', (column) => column.notNull())
      .addColumn('peerId', 'text', (column) => column.notNull())
      .addColumn('last', 'integer', (column) => column.notNull())
      .addColumn('first', 'integer', (column) => column.notNull())
      .addColumn('after', 'integer', (column) => column.notNull())
      .addColumn('clocks', 'blob')
      .addColumn('checksum', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('settled_ids_key', ['treeId', 'peerId', 'last'])
      .modifyEnd(sql`strict, without rowid`),
    schema
      .createTable('settled_trees')
      .addColumn('treeId', 'text', (column) => column.primaryKey().notNull())
      .addColumn('clock', 'integer', (column) => column.notNull())
      .addColumn('ops', 'integer', (column) => column.notNull())
      .modifyEnd(sql`strict, without rowid`),
    schema
      .createTable('settled_deletes')
      .addColumn('treeId', 'text', (column) => column.notNull())
      .addColumn('targetId', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('settled_deletes_key', ['treeId', 'targetId'])
      .modifyEnd(sql`strict, without rowid`),
  ],
  6: ({ schema }) => [schema.alterTable('commits').addColumn('checksum', 'integer')],
  7: (db) => [
    db.schema.alterTable('epochs').addColumn('checksum', 'integer'),
    db.schema.alterTable('settled_deletes').addColumn('checksum', 'integer'),
    db.schema
      .alterTable('settled_trees')
      .addColumn('deletes', 'integer', (column) => column.notNull().defaultTo(0)),
    db
      .withTables<Pick<SpaceSchema, 'settled_trees' | 'settled_deletes'>>()
      .updateTable('settled_trees')
      .set((tree) => ({
        deletes: tree
          .selectFrom('settled_deletes')
          .whereRef('settled_deletes.treeId', '=', 'settled_trees.treeId')
          .select((deletes) => deletes.fn.countAll<number>().as('deletes')),
      })),
  ],
  // Most spaces are small, and every table and index takes a page at least: neither `spaces` nor `epochs` needs an index.
  8: (db) => [
    db.schema
      .createTable('new_spaces')
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .addColumn('log_id', 'text', (column) => column.notNull())
      .addColumn('identity', 'text')
      .addColumn('access_id', 'text')
      .addColumn('access_seal', 'text')
      .modifyEnd(sql`strict`),
    run(sql`
      insert into new_spaces (id, created_at, log_id, identity, access_id, access_seal)
      select id, created_at, log_id, identity, access_id, access_seal from spaces`),
    db.schema.dropTable('spaces'),
    db.schema.alterTable('new_spaces').renameTo('spaces'),
    db.schema
      .createTable('new_epochs')
      .addColumn('after', 'integer', (column) => column.primaryKey())
      .addColumn('epoch', 'text', (column) => column.notNull())
      .addColumn('checksum', 'integer')
      .addColumn('is_last', 'integer', (column) => column.notNull())
      .modifyEnd(sql`strict`),
    // The first count is that of the index. If it has more rows than the table, the last one is gone, and none is marked.
    run(sql`
      insert into new_epochs ("after", epoch, checksum, is_last)
      select "after", epoch, checksum,
        "after" = (select max("after") from epochs)
        and (select count(*) from epochs) = (select count(*) from epochs not indexed)
      from epochs not indexed order by "after"`),
    db.schema.dropTable('epochs'),
    db.schema.alterTable('new_epochs').renameTo('epochs'),
    db.schema.alterTable('commits').addColumn('is_last', 'integer'),
  ],
}

function run(statement: RawBuilder<unknown>): Compilable {
  return { compile: () => statement.compile(compiler) }
}

const { schema } = compiler

export const settledTableNames = ['segments', 'settled_ids', 'settled_trees', 'settled_deletes'] as const

/** Makes the tables of settled operations as version 8 has them. For the transaction that settles the first operations. */
export const createSettledTables: string = [
  schema
    .createTable('segments')
    .addColumn('after', 'integer', (column) => column.primaryKey())
    .addColumn('cursor', 'integer', (column) => column.notNull())
    .addColumn('bytes', 'integer', (column) => column.notNull())
    .addColumn('page', 'blob', (column) => column.notNull())
    .addColumn('checksum', 'integer', (column) => column.notNull())
    .modifyEnd(sql`strict`),
  schema
    .createTable('settled_ids')
    .addColumn('treeId', 'text', (column) => column.notNull())
    .addColumn('peerId', 'text', (column) => column.notNull())
    .addColumn('last', 'integer', (column) => column.notNull())
    .addColumn('first', 'integer', (column) => column.notNull())
    .addColumn('after', 'integer', (column) => column.notNull())
    .addColumn('clocks', 'blob')
    .addColumn('checksum', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('settled_ids_key', ['treeId', 'peerId', 'last'])
    .modifyEnd(sql`strict, without rowid`),
  schema
    .createTable('settled_trees')
    .addColumn('treeId', 'text', (column) => column.primaryKey().notNull())
    .addColumn('clock', 'integer', (column) => column.notNull())
    .addColumn('ops', 'integer', (column) => column.notNull())
    .addColumn('deletes', 'integer', (column) => column.notNull().defaultTo(0))
    .modifyEnd(sql`strict, without rowid`),
  schema
    .createTable('settled_deletes')
    .addColumn('treeId', 'text', (column) => column.notNull())
    .addColumn('targetId', 'text', (column) => column.notNull())
    .addColumn('checksum', 'integer')
    .addPrimaryKeyConstraint('settled_deletes_key', ['treeId', 'targetId'])
    .modifyEnd(sql`strict, without rowid`),
]
  .map((table) => table.compile().sql)
  .join(';')

export const deletesIndexName = 'tree_ops_deletes'

/** Makes the index that finds deletions by their vertex, of all rows that there are. For the transaction of the first deletion. */
export const createDeletesIndex: string = schema
  .createIndex(deletesIndexName)
  .on('tree_ops')
  .columns(['treeId', 'targetId'])
  .where(sql.ref('parentId'), '=', sql.lit(nullVertexId))
  .compile().sql
