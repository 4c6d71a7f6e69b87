import {
  nullVertexId,
  type Epoch,
  type LogId,
  type PeerId,
  type SpaceId,
  type TreeId,
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
  tree_ops: TreeOpRow & { seq: number }
  spaces: { id: SpaceId; created_at: number; log_id: LogId }
  /** One row for each process that committed here. `after` is the head that it found, and strictly increases. */
  epochs: { epoch: Epoch; after: number }
}

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
}
