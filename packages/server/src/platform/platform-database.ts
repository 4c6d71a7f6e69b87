import type {
  AccessId,
  InviteId,
  RegistrationId,
  RegistrationMode,
  RoleName,
  ServerRole,
  SpaceId,
  SpaceIdentity,
  UserId,
} from '@t69/protocol'
import type { ColumnType } from 'kysely'

import { openDatabase, type OpenedDatabase } from '../sqlite/database-files.ts'
import { isAtVersion, migrate } from '../sqlite/migrate.ts'
import type { AuditedAction } from './audit.ts'
import { platformMigrations } from './platform-migrations.ts'

/** Inserted empty: a trigger sets it. */
type MadeByTrigger = ColumnType<AccessId, AccessId | '', AccessId>
/** Inserted as null: SQLite counts. */
type RowNumber = ColumnType<number, null, never>

/** The tables of `platform.sqlite`: users, spaces, and who may enter them. Times are Unix milliseconds. */
export interface PlatformTables {
  users: {
    id: UserId
    /** Lower case, trimmed. */
    email: string
    name: string
    /** Argon2id in its own notation, parameters and salt included. Empty for an account without a password. */
    password_hash: string
    created_at: number
    role: ServerRole
  }
  sessions: {
    id: string
    user_id: UserId
    created_at: number
    /** Postponed by every refresh. */
    expires_at: number
    /** The generation whose refresh tokens are valid. */
    generation: number
    /** When this generation began. */
    rotated_at: number
    /** Hash of the token that began this generation; empty for the first one. */
    rotated_by: string
    /** A short name of the device: see `deviceNameOf`. Empty if it said nothing of itself. */
    device: string
  }
  refresh_tokens: {
    /** SHA-256, hex. The token itself is not stored. */
    token_hash: string
    session_id: string
    generation: number
  }
  spaces: {
    id: SpaceId
    name: string
    created_at: number
    /** 1 once the space has had a file. */
    has_log: number
    identity: SpaceIdentity
    /** Null for a space that no device named. */
    registration: RegistrationId | null
    /** Names the present state of the access list. Changed by triggers, and by merging lists. */
    access_id: MadeByTrigger
    /** The history of the accounts in which the log was asked for its members; empty for none: see `AccountsHistory`. */
    asked_in: string
  }
  members: {
    space_id: SpaceId
    user_id: UserId
    role: RoleName
    joined_at: number
    /** The access id with which the entry became as it is. Set by a trigger where an insert leaves it empty. */
    since: MadeByTrigger
  }
  /** Entries of access lists for users who are not in `members`. Triggers add those who were removed. */
  non_members: {
    nr: RowNumber
    space_id: SpaceId
    user_id: UserId
    /** Null for a removed member; the role of an absent one, whose account this server does not have. */
    role: RoleName | null
    /** Empty, like the name, for a removed member. */
    email: string
    name: string
    joined_at: number
    since: AccessId
  }
  /** Every access id that a space ever had here, or in a list that was merged. */
  access_ids: {
    nr: RowNumber
    space_id: SpaceId
    access_id: AccessId
  }
  invites: {
    /** SHA-256, hex. */
    token_hash: string
    /** Names the invite for owners. */
    id: InviteId
    space_id: SpaceId
    role: RoleName
    created_by: UserId
    created_at: number
    expires_at: number
    /** How many people joined by it. */
    uses: number
  }
  /** Ids of deleted accounts, kept for ever: no seal brings one back. A trigger adds those that an operator deletes. */
  user_deletions: {
    user_id: UserId
    /** See `AddressNotes`. Null for an account that was deleted by hand, or by a version before such notes. */
    address_note: string | null
  }
  /** Deleted spaces, kept for ever: an id is not given out again. */
  space_deletions: {
    space_id: SpaceId
    deleted_at: number
    /** 0 until the file is removed, so that a crash in between loses none of them. */
    file_removed: number
  }
  /** One row: the newest time that the server knows, for the next start. */
  server_clock: {
    id: number
    time: number
  }
  /** One row: the name of the history of the accounts. */
  accounts_history: {
    id: number
    name: string
  }
  /** SQLite's own: the highest number that a table ever gave to a row. */
  sqlite_sequence: {
    name: string
    seq: number
  }
  /** What people and the operator did: see `Audit`. */
  audit: {
    nr: RowNumber
    at: number
    actor_id: UserId | null
    action: AuditedAction
    user_id: UserId | null
    space_id: SpaceId | null
    address: string | null
  }
  /** Invites to the server: whoever has the token may sign up once. */
  server_invites: {
    /** SHA-256, hex. */
    token_hash: string
    created_at: number
    expires_at: number
    /** When somebody signed up with it; null until then. */
    used_at: number | null
  }
  /** Links by which somebody sets a password who forgot theirs: see `PasswordLinks`. */
  password_links: {
    /** SHA-256, hex. */
    token_hash: string
    user_id: UserId
    created_at: number
    expires_at: number
    /** When it was used, or became void; null until then. */
    ended_at: number | null
    /** 1 for a link that was sent to the account's address: whoever uses it can read what is sent there. */
    by_mail: number
  }
  /** Accounts whose owner has shown that they can read mail to their address. */
  proven_addresses: {
    user_id: UserId
    /** The address that was proven. The account may have another one by now. */
    email: string
    proven_at: number
  }
  /** Addresses that accounts are about to have, at most one of each: see `AddressChanges`. */
  address_changes: {
    user_id: UserId
    /** SHA-256, hex. */
    token_hash: string
    email: string
    expires_at: number
  }
  /** Addresses that accounts have had, kept for ever: no seal with one brings back the account. See `AddressNotes`. */
  left_addresses: {
    address_note: string
    user_id: UserId
  }
  /** Who signs in to an account through a provider (OpenID Connect). */
  identities: {
    issuer: string
    /** The provider's own name for the person, which never changes. */
    subject: string
    user_id: UserId
    linked_at: number
  }
  /** Accounts whose owner has ended what connected them with a provider: their address alone connects them no more. */
  ended_identities: {
    user_id: UserId
    issuer: string
  }
  /** Keys with which somebody signs in without a password (WebAuthn): see `Passkeys`. */
  passkeys: {
    /** The authenticator's name for it, base64url. */
    id: string
    user_id: UserId
    /** The host name that it was made for: browsers use it for no other. */
    rp_id: string
    /** COSE. */
    public_key: Uint8Array
    /** How often it was used, as the authenticator says; 0 for ever where it does not count. */
    counter: number
    name: string
    created_at: number
    last_used_at: number | null
  }
  /** At most one row: who may sign up, if the operator has chosen it by a command. */
  registration: {
    id: number
    mode: RegistrationMode
    chosen_at: number
  }
}

/**
 * Opens the database, or creates it, and brings it to the newest schema. Throws `NewerSchemaError`, and what
 * better-sqlite3 throws for a file that is not a database.
 */
export function openPlatformDatabase(path: string, synchronous: 'full' | 'normal' = 'full'): OpenedDatabase {
  return openDatabase(path, (db) => {
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${synchronous}`)
    db.pragma('foreign_keys = ON')
    // Overwrites deleted rows, so that a deleted account leaves no name in free pages.
    db.pragma('secure_delete = ON')
    migrate(db, platformMigrations)
  })
}

/** Whether the database has the newest schema. Changes nothing. Throws what better-sqlite3 throws. */
export function isOfThisVersion(path: string): boolean {
  const { db, files } = openDatabase(path, () => {}, { readonly: true })
  try {
    return isAtVersion(db, platformMigrations)
  } finally {
    files.close()
  }
}
