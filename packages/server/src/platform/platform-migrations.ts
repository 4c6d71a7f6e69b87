import { sql } from 'kysely'

import type { Migrations } from '../sqlite/migrate.ts'

const strict = sql`strict`
const strictWithoutRowid = sql`strict, without rowid`

export const platformMigrations: Migrations = {
  1: (db) => [
    db.schema
      .createTable('users')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('email', 'text', (column) => column.notNull().unique())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('password_hash', 'text', (column) => column.notNull())
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    db.schema
      .createTable('sessions')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .addColumn('expires_at', 'integer', (column) => column.notNull())
      .addColumn('generation', 'integer', (column) => column.notNull())
      .addColumn('rotated_at', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    db.schema.createIndex('sessions_by_user').on('sessions').column('user_id'),
    db.schema
      .createTable('refresh_tokens')
      .addColumn('token_hash', 'text', (column) => column.primaryKey())
      .addColumn('session_id', 'text', (column) =>
        column.notNull().references('sessions.id').onDelete('cascade'),
      )
      .addColumn('generation', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    db.schema
      .createIndex('refresh_tokens_by_session')
      .on('refresh_tokens')
      .columns(['session_id', 'generation']),
    db.schema
      .createTable('spaces')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull().references('users.id'))
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    db.schema
      .createTable('members')
      .addColumn('space_id', 'text', (column) => column.notNull().references('spaces.id').onDelete('cascade'))
      .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('role', 'text', (column) =>
        column.notNull().check(sql`role in ('owner', 'editor', 'viewer')`),
      )
      .addColumn('joined_at', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('members_key', ['space_id', 'user_id'])
      .modifyEnd(strictWithoutRowid),
    db.schema.createIndex('members_by_user').on('members').column('user_id'),
    db.schema
      .createTable('invites')
      .addColumn('token_hash', 'text', (column) => column.primaryKey())
      .addColumn('space_id', 'text', (column) => column.notNull().references('spaces.id').onDelete('cascade'))
      .addColumn('role', 'text', (column) => column.notNull().check(sql`role in ('editor', 'viewer')`))
      .addColumn('created_by', 'text', (column) =>
        column.notNull().references('users.id').onDelete('cascade'),
      )
      .addColumn('expires_at', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    db.schema.createIndex('invites_by_space').on('invites').column('space_id'),
    db.schema
      .createTable('space_deletions')
      .addColumn('space_id', 'text', (column) => column.primaryKey())
      .addColumn('deleted_at', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
  ],
  2: (db) => [
    db.schema
      .alterTable('spaces')
      .addColumn('has_log', 'integer', (column) => column.notNull().defaultTo(sql.lit(0))),
  ],
  3: (db) => [
    // The column kept a user from being deleted, and said nothing that `members` does not.
    db.schema.alterTable('spaces').dropColumn('created_by'),
    db.schema.alterTable('invites').addColumn('id', 'text'),
    db.schema
      .alterTable('invites')
      .addColumn('created_at', 'integer', (column) => column.notNull().defaultTo(sql.lit(0))),
    db.schema
      .alterTable('invites')
      .addColumn('uses', 'integer', (column) => column.notNull().defaultTo(sql.lit(0))),
    {
      compile: () =>
        sql`update invites set id = lower(hex(randomblob(16))), created_at = expires_at - 604800000`.compile(
          db,
        ),
    },
    db.schema.createIndex('invites_by_id').on('invites').column('id').unique(),
    db.schema.createIndex('invites_by_creator').on('invites').column('created_by'),
  ],
  4: (db) => [
    db.schema
      .alterTable('sessions')
      .addColumn('rotated_by', 'text', (column) => column.notNull().defaultTo('')),
  ],
}
