import { type RawBuilder, sql } from 'kysely'

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
  // A space that is older than identities and access ids has its own id as its first ones. So a copy of the accounts that
  // was made before this migration gives the same ones again.
  5: (db) => {
    const run = (statement: RawBuilder<unknown>) => ({ compile: () => statement.compile(db) })
    return [
      db.schema
        .alterTable('spaces')
        .addColumn('identity', 'text', (column) => column.notNull().defaultTo('')),
      db.schema.alterTable('spaces').addColumn('registration', 'text'),
      db.schema
        .alterTable('spaces')
        .addColumn('access_id', 'text', (column) => column.notNull().defaultTo('')),
      db.schema.alterTable('members').addColumn('since', 'text', (column) => column.notNull().defaultTo('')),
      run(sql`update spaces set identity = id, access_id = id`),
      run(sql`update members set since = space_id`),
      db.schema
        .createTable('access_ids')
        // Never used twice, not even that of a deleted space: see `takeChanged` of `access-lists.ts`.
        .addColumn('nr', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('space_id', 'text', (column) =>
          column.notNull().references('spaces.id').onDelete('cascade'),
        )
        .addColumn('access_id', 'text', (column) => column.notNull())
        .addUniqueConstraint('access_ids_key', ['space_id', 'access_id'])
        .modifyEnd(strict),
      run(sql`insert into access_ids (space_id, access_id) select id, id from spaces`),
      db.schema
        .createTable('non_members')
        .addColumn('nr', 'integer', (column) => column.primaryKey())
        .addColumn('space_id', 'text', (column) =>
          column.notNull().references('spaces.id').onDelete('cascade'),
        )
        .addColumn('user_id', 'text', (column) => column.notNull())
        .addColumn('role', 'text')
        .addColumn('email', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('joined_at', 'integer', (column) => column.notNull())
        .addColumn('since', 'text', (column) => column.notNull())
        .addUniqueConstraint('non_members_key', ['space_id', 'user_id'])
        .modifyEnd(strict),
      db.schema.createIndex('non_members_by_user').on('non_members').column('user_id'),
      db.schema
        .alterTable('space_deletions')
        .addColumn('file_removed', 'integer', (column) => column.notNull().defaultTo(sql.lit(0))),
      db.schema
        .createTable('user_deletions')
        .addColumn('user_id', 'text', (column) => column.primaryKey())
        .modifyEnd(strict),
      run(sql`create trigger user_deleted after delete on users begin
        insert or ignore into user_deletions (user_id) values (old.id);
      end`),
      ...accessTriggers.map(run),
    ]
  },
  6: (db) => [
    db.schema
      .createTable('server_clock')
      .addColumn('id', 'integer', (column) => column.primaryKey().check(sql`id = 1`))
      .addColumn('time', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    db.schema
      .createTable('server_invites')
      .addColumn('token_hash', 'text', (column) => column.primaryKey())
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .addColumn('expires_at', 'integer', (column) => column.notNull())
      .addColumn('used_at', 'integer')
      .modifyEnd(strict),
  ],
  7: (db) => [
    db.schema
      .createTable('accounts_history')
      .addColumn('id', 'integer', (column) => column.primaryKey().check(sql`id = 1`))
      .addColumn('name', 'text', (column) => column.notNull())
      .modifyEnd(strict),
    db.schema.alterTable('spaces').addColumn('asked_in', 'text', (column) => column.notNull().defaultTo('')),
  ],
  8: (db) => [
    db.schema.alterTable('user_deletions').addColumn('address_note', 'text'),
    db.schema.createIndex('user_deletions_by_address').on('user_deletions').column('address_note'),
  ],
  9: (db) => [
    db.schema.alterTable('users').addColumn('role', 'text', (column) =>
      column
        .notNull()
        .defaultTo('member')
        .check(sql`role in ('admin', 'member')`),
    ),
    {
      compile: () =>
        sql`update users set role = 'admin' where id = (select id from users order by created_at, id limit 1)`.compile(
          db,
        ),
    },
    // Without foreign keys: what was done is remembered longer than those who did it.
    db.schema
      .createTable('audit')
      .addColumn('nr', 'integer', (column) => column.primaryKey())
      .addColumn('at', 'integer', (column) => column.notNull())
      .addColumn('actor_id', 'text')
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('user_id', 'text')
      .addColumn('space_id', 'text')
      .addColumn('address', 'text')
      .modifyEnd(strict),
    db.schema.createIndex('audit_by_actor').on('audit').column('actor_id'),
    db.schema.createIndex('audit_by_user').on('audit').column('user_id'),
    db.schema.createIndex('audit_by_space').on('audit').column('space_id'),
    db.schema.createIndex('audit_by_time').on('audit').column('at'),
    {
      // Nobody fills the table by doing the same again and again, or pushes out what others did.
      compile: () =>
        sql`create trigger audit_bounded after insert on audit when new.actor_id is not null begin
          delete from audit where actor_id = new.actor_id and nr <= (
            select nr from audit where actor_id = new.actor_id order by nr desc limit 1 offset 1000
          );
        end`.compile(db),
    },
  ],
  10: (db) => [
    db.schema.alterTable('sessions').addColumn('device', 'text', (column) => column.notNull().defaultTo('')),
    db.schema
      .createTable('password_links')
      .addColumn('token_hash', 'text', (column) => column.primaryKey())
      .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .addColumn('expires_at', 'integer', (column) => column.notNull())
      .addColumn('ended_at', 'integer')
      .modifyEnd(strict),
    db.schema.createIndex('password_links_by_user').on('password_links').column('user_id'),
    db.schema
      .createTable('registration')
      .addColumn('id', 'integer', (column) => column.primaryKey().check(sql`id = 1`))
      .addColumn('mode', 'text', (column) =>
        column.notNull().check(sql`mode in ('open', 'invite', 'closed')`),
      )
      .addColumn('chosen_at', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
  ],
  11: (db) => [
    {
      // What was asked for without signing in pushes out nothing else.
      compile: () =>
        sql`create trigger audit_of_strangers_bounded after insert on audit
          when new.actor_id is null and new.address is not null begin
          delete from audit where user_id = new.user_id and actor_id is null and address is not null and nr <= (
            select nr from audit where user_id = new.user_id and actor_id is null and address is not null
            order by nr desc limit 1 offset 100
          );
        end`.compile(db),
    },
    db.schema
      .alterTable('password_links')
      .addColumn('by_mail', 'integer', (column) => column.notNull().defaultTo(sql.lit(0))),
    db.schema
      .createTable('proven_addresses')
      .addColumn('user_id', 'text', (column) =>
        column.primaryKey().references('users.id').onDelete('cascade'),
      )
      .addColumn('email', 'text', (column) => column.notNull())
      .addColumn('proven_at', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    db.schema
      .createTable('identities')
      .addColumn('issuer', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('linked_at', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('identities_key', ['issuer', 'subject'])
      .addUniqueConstraint('identities_by_user', ['user_id', 'issuer'])
      .modifyEnd(strictWithoutRowid),
    db.schema
      .createTable('address_changes')
      .addColumn('user_id', 'text', (column) =>
        column.primaryKey().references('users.id').onDelete('cascade'),
      )
      .addColumn('token_hash', 'text', (column) => column.notNull())
      .addColumn('email', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    // Without a foreign key: the note stays when the account is deleted.
    db.schema
      .createTable('left_addresses')
      .addColumn('address_note', 'text', (column) => column.notNull())
      .addColumn('user_id', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('left_addresses_key', ['address_note', 'user_id'])
      .modifyEnd(strictWithoutRowid),
  ],
  12: (db) => [
    db.schema
      .createTable('passkeys')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('rp_id', 'text', (column) => column.notNull())
      .addColumn('public_key', 'blob', (column) => column.notNull())
      .addColumn('counter', 'integer', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .addColumn('last_used_at', 'integer')
      .modifyEnd(strict),
    db.schema.createIndex('passkeys_by_user').on('passkeys').column('user_id'),
    db.schema
      .createTable('ended_identities')
      .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('issuer', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('ended_identities_key', ['user_id', 'issuer'])
      .modifyEnd(strictWithoutRowid),
  ],
}

const newAccessId = sql`update spaces set access_id = lower(hex(randomblob(16)))`

/**
 * Every change of members gives the space a new access id, and remembers who was removed, whoever makes the change: a
 * route, a deleted account, or an operator in a shell of SQLite. A write that says itself since when an entry is as it is
 * brings an entry from elsewhere, and makes no access id.
 */
const accessTriggers = [
  sql`create trigger access_changed after update of access_id on spaces begin
    insert into access_ids (space_id, access_id) values (new.id, new.access_id);
  end`,
  sql`create trigger member_added after insert on members when new.since = '' begin
    ${newAccessId} where id = new.space_id;
    update members set since = (select access_id from spaces where id = new.space_id)
      where space_id = new.space_id and user_id = new.user_id;
    delete from non_members where space_id = new.space_id and user_id = new.user_id;
  end`,
  sql`create trigger member_changed after update of role on members
  when new.role is not old.role and new.since = old.since begin
    ${newAccessId} where id = new.space_id;
    update members set since = (select access_id from spaces where id = new.space_id)
      where space_id = new.space_id and user_id = new.user_id;
  end`,
  sql`create trigger member_removed after delete on members begin
    ${newAccessId} where id = old.space_id;
    insert or replace into non_members (space_id, user_id, role, email, name, joined_at, since)
      select id, old.user_id, null, '', '', old.joined_at, access_id from spaces where id = old.space_id;
  end`,
  // Beyond 500 of one space, the oldest are forgotten: the list of a space fits into one message.
  sql`create trigger removed_bounded after insert on non_members when new.role is null begin
    delete from non_members where nr <= (
      select nr from non_members where space_id = new.space_id and role is null order by nr desc limit 1 offset 500
    ) and space_id = new.space_id and role is null;
  end`,
]
