import type { InviteId, RoleName, SpaceId, UserId } from '@t69/protocol'

import { openDatabase, type OpenedDatabase } from '../sqlite/database-files.ts'
import { migrate } from '../sqlite/migrate.ts'
import { platformMigrations } from './platform-migrations.ts'

/** The tables of `platform.sqlite`: users, spaces, and who may enter them. Times are Unix milliseconds. */
export interface PlatformTables {
  users: {
    id: UserId
    /** Lower case, trimmed. */
    email: string
    name: string
    /** Argon2id in its own notation, parameters and salt included. */
    password_hash: string
    created_at: number
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
  }
  members: {
    space_id: SpaceId
    user_id: UserId
    role: RoleName
    joined_at: number
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
  /** Deleted spaces whose file is not removed yet, so that a crash in between loses none of them. */
  space_deletions: {
    space_id: SpaceId
    deleted_at: number
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
