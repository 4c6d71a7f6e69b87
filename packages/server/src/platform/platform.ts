import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { SpacePayers } from '../ports/space-payers.ts'
import { StorageFailure } from '../sqlite/storage-failure.ts'
import { createAccounts, type Accounts } from './accounts.ts'
import { lockDataDir } from './data-dir-lock.ts'
import { createInvites, type Invites } from './invites.ts'
import { checkForLostAccounts } from './lost-accounts.ts'
import { createMembers, type Members } from './members.ts'
import { mendPlatform } from './mend-platform.ts'
import { openPlatformDatabase } from './platform-database.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { readOrMakeSigningSecret } from './signing-secret.ts'
import { createSpacePayers } from './space-payers.ts'
import { createSpaceRecords, type SpaceRecords } from './space-records.ts'
import { createUsers, type Users } from './users.ts'

/** Users, their sessions, and who may enter which space: everything that is not a space's content. */
export interface Platform {
  readonly signingSecret: string
  /** New path of a write-ahead log that did not belong to the database beside it; undefined for none. */
  readonly setAside: string | undefined
  readonly users: Users
  readonly sessions: Sessions
  readonly accounts: Accounts
  readonly spaceRecords: SpaceRecords
  readonly spacePayers: SpacePayers
  readonly members: Members
  readonly invites: Invites
  /** Whether another process has written to the database since the last call: an operator, by hand. */
  changedByOthers(): boolean
  /**
   * Throws `StorageFailure` when the database was replaced, moved or removed. Writes since then are lost to anyone who
   * opens it next, and this process cannot switch to another one.
   */
  checkPlace(): void
  /** Commits a write that changes nothing. Throws when the database cannot be written. */
  checkWritable(): void
  /** Removes expired sessions and invites. */
  tidy(now: number): void
  close(): void
}

export interface PlatformOptions {
  /** Created if missing. Used by one process at a time: throws `DataDirLockedError`. */
  readonly dataDir: string
  readonly synchronous?: 'full' | 'normal'
  readonly refreshTokenTtlMs: number
  /** Signs tokens. Default: a secret that is made once and kept in the directory. Throws `SigningSecretError`. */
  readonly signingSecret?: string | undefined
  /** Unix milliseconds, for the names of files that are set aside. */
  readonly now?: () => number
}

/** Opens the platform. Throws also `LostAccountsError`, `DamagedPlatformError`, `NewerSchemaError` and SQLite's errors. */
export function openPlatform(options: PlatformOptions): Platform {
  const { dataDir, synchronous, refreshTokenTtlMs, now = Date.now } = options
  // Nobody else on the machine may read it.
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const unlock = lockDataDir(dataDir)
  try {
    const path = join(dataDir, 'platform.sqlite')
    checkForLostAccounts(dataDir, path)
    const setAside = mendPlatform(path, now())
    const { db, files } = openPlatformDatabase(path, synchronous)
    const members = createMembers(db)
    const signingSecret = options.signingSecret ?? readOrMakeSigningSecret(dataDir)
    const sessions = createSessions(db, { refreshTokenTtlMs, signingSecret })
    const invites = createInvites(db, members)
    const users = createUsers(db)
    const spaceRecords = createSpaceRecords(db)
    const versionOf = () => db.pragma('data_version', { simple: true })
    let version = versionOf()
    const touch = db.transaction(() =>
      db.pragma(`user_version = ${Number(db.pragma('user_version', { simple: true }))}`),
    )
    return {
      signingSecret,
      setAside,
      users,
      sessions,
      accounts: createAccounts(db, { users, sessions, spaceRecords }),
      spaceRecords,
      spacePayers: createSpacePayers(db),
      members,
      invites,
      changedByOthers() {
        const before = version
        version = versionOf()
        return version !== before
      },
      checkPlace: () => {
        try {
          files.checkPlace()
        } catch (error) {
          throw error instanceof Error ? new StorageFailure(path, error) : error
        }
      },
      checkWritable: () => void touch.immediate(),
      tidy(now) {
        sessions.removeExpired(now)
        invites.removeExpired(now)
      },
      close() {
        files.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}
