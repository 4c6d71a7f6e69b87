import type { InviteId, RoleName, SpaceId, UserId } from '@t69/protocol'

import { openDatabase, type OpenedDatabase } from '../sqlite/database-files.ts'
import { migrate } from '../sqlite/migrate.ts'
import { platformMigrations } from './platform-migrations.ts'

/** `platform.sqlite`: who there is, what spaces there are, and who may enter them. Times are Unix milliseconds. */
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
    /** Moves with every refresh. */
    expires_at: number
    /** Which refresh tokens are good: those of this generation. */
    generation: number
    /** When this generation began. */
    rotated_at: number
    /** Which token began it, by its hash; empty for the first generation. */
    rotated_by: string
  }
  refresh_tokens: {
    /** SHA-256, hex: the token itself is nowhere on the server. */
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
    /** What owners call it by. */
    id: InviteId
    space_id: SpaceId
    role: RoleName
    created_by: UserId
    created_at: number
    expires_at: number
    /** How many people joined by it. */
    uses: number
  }
  /** Spaces whose row is gone and whose file may still be there: work that a crash left over. */
  space_deletions: {
    space_id: SpaceId
    deleted_at: number
  }
}

/**
 * Opens the database, made when it is not there, and brings it to the newest schema. Throws what
 * better-sqlite3 throws for a file that is none, and `NewerSchemaError`.
 */
export function openPlatformDatabase(path: string, synchronous: 'full' | 'normal' = 'full'): OpenedDatabase {
  return openDatabase(path, (db) => {
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${synchronous}`)
    db.pragma('foreign_keys = ON')
    // What is deleted is overwritten: an account that is gone leaves no name behind in free pages.
    db.pragma('secure_delete = ON')
    migrate(db, platformMigrations)
  })
}
