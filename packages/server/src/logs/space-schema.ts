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
import { sql } from 'kysely'

import type { Migrations } from '../sqlite/migrate.ts'

/**
 * The tables of a space's file. `tree_ops` mirrors t69's `localdb.ts`, plus `seq`, the position at which the operation
 * was committed. As the primary key, `seq` clusters the table in that order, and unlike a bare rowid it survives
 * `VACUUM`. A move has a NULL `key`. In a property, a NULL `value` is a removal, and the text `null` is a value.
 */
export interface SpaceSchema {
  tree_ops: TreeOpRow & {
    seq: number
    /** See `checksumOfRow`. Null in a row that is older than checksums. */
    checksum: number | null
  }
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
  epochs: { epoch: Epoch; after: number }
  /**
   * Who committed the operations after position `after`, up to the next row, and when, in Unix milliseconds. A row begins
   * where another user does, or another minute. Operations before the first row were committed before there was one.
   */
  commits: { after: number; at: number; user: UserId }
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
  /** The highest clock of the settled operations of a tree, and how many they are. */
  settled_trees: { treeId: TreeId; clock: number; ops: number }
  /** Vertices that settled operations delete. */
  settled_deletes: { treeId: TreeId; targetId: VertexId }
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
}
