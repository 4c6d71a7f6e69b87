import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { SpacePayers } from '../ports/space-payers.ts'
import { StorageFailure } from '../sqlite/storage-failure.ts'
import { createAccessLists, type AccessLists } from './access-lists.ts'
import { createAccountsHistory } from './accounts-history.ts'
import { createAccounts, type Accounts } from './accounts.ts'
import { type AddressChanges, createAddressChanges } from './address-changes.ts'
import { createAddressNotes } from './address-notes.ts'
import { type AdminPages, createAdminPages } from './admin-pages.ts'
import { type Audit, createAudit } from './audit.ts'
import { lockDataDir } from './data-dir-lock.ts'
import { createDirectory, type Directory } from './directory.ts'
import { markEnd, removeEndMark } from './end-mark.ts'
import { createIdentities, type Identities } from './identities.ts'
import { createInvites, type Invites } from './invites.ts'
import { checkForLostAccounts } from './lost-accounts.ts'
import { createMembers, type Members } from './members.ts'
import { mendPlatform } from './mend-platform.ts'
import { createPasskeys, type Passkeys } from './passkeys.ts'
import { createPasswordLinks, type PasswordLinks } from './password-links.ts'
import { createPlatformCounts, type PlatformCounts } from './platform-counts.ts'
import { openPlatformDatabase } from './platform-database.ts'
import { createProvenAddresses, type ProvenAddresses } from './proven-addresses.ts'
import { createProviderSignIn, type ProviderSignIn } from './provider-sign-in.ts'
import { createRegistrationChoice, type RegistrationChoice } from './registration-choice.ts'
import { createRegistration, type Registration } from './registration.ts'
import { createReturningAccounts, type ReturningAccounts } from './returning-accounts.ts'
import { createSeals, type Seals } from './seals.ts'
import { createServerInvites, type ServerInvites } from './server-invites.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { readOrMakeSigningSecret } from './signing-secret.ts'
import { createSpacePayers } from './space-payers.ts'
import { createSpaceRecords, type SpaceRecords } from './space-records.ts'
import { checkLog, spoiltBy } from './spoilt-database.ts'
import { createStoredTimes, type StoredTimes } from './stored-times.ts'
import { createUsers, type Users } from './users.ts'
import { createWaysToSignIn, type WaysToSignIn } from './ways-to-sign-in.ts'

/** Users, their sessions, and who may enter which space: everything that is not a space's content. */
export interface Platform {
  readonly signingSecret: string
  /** New path of a write-ahead log that did not belong to the database beside it; undefined for none. */
  readonly setAside: string | undefined
  readonly users: Users
  readonly sessions: Sessions
  readonly accounts: Accounts
  readonly accessLists: AccessLists
  readonly seals: Seals
  readonly spaceRecords: SpaceRecords
  readonly spacePayers: SpacePayers
  readonly members: Members
  readonly invites: Invites
  readonly serverInvites: ServerInvites
  readonly passwordLinks: PasswordLinks
  readonly provenAddresses: ProvenAddresses
  readonly identities: Identities
  readonly passkeys: Passkeys
  readonly waysToSignIn: WaysToSignIn
  readonly addressChanges: AddressChanges
  readonly providerSignIn: ProviderSignIn
  readonly registration: Registration
  readonly registrationChoice: RegistrationChoice
  readonly returningAccounts: ReturningAccounts
  readonly storedTimes: StoredTimes
  readonly audit: Audit
  readonly directory: Directory
  readonly adminPages: AdminPages
  /** How many rows there are. `now` says which are over. */
  counts(now: number): PlatformCounts
  /** Whether another process has written to the database since the last call: an operator, by hand. */
  changedByOthers(): boolean
  /**
   * Throws `StorageFailure` when the database was replaced, moved or removed: writes since then are lost to anyone who
   * opens it next, and this process cannot switch to another one. Also when the files no longer fit what SQLite has of them
   * in memory (`spoiltBy`). Throws `DataDirLockedError` when another server has taken the directory
   * meanwhile.
   */
  checkPlace(): void
  /** Commits a write that changes nothing. Throws when the database cannot be written. */
  checkWritable(): void
  /** Removes expired sessions, invites and links, and old entries of the audit table. */
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
  /** Unix milliseconds by the machine's clock, for the names of files that are set aside. */
  readonly now?: () => number
}

/** Opens the platform. Throws also `LostAccountsError`, `DamagedPlatformError`, `NewerSchemaError` and SQLite's errors. */
export function openPlatform(options: PlatformOptions): Platform {
  const { dataDir, synchronous, refreshTokenTtlMs, now = Date.now } = options
  // Nobody else on the machine may read it.
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const lock = lockDataDir(dataDir)
  try {
    const path = join(dataDir, 'platform.sqlite')
    checkForLostAccounts(dataDir, path)
    const setAside = mendPlatform(path, now())
    removeEndMark(path)
    const { db, files } = openPlatformDatabase(path, synchronous)
    const signingSecret = options.signingSecret ?? readOrMakeSigningSecret(dataDir)
    const seals = createSeals(signingSecret)
    const history = createAccountsHistory(db, dataDir)
    const accessLists = createAccessLists(db, { seals, history, now })
    const members = createMembers(db, accessLists)
    const sessions = createSessions(db, { refreshTokenTtlMs, signingSecret })
    const invites = createInvites(db, members, accessLists)
    const users = createUsers(db, createAddressNotes(signingSecret))
    const serverInvites = createServerInvites(db)
    const registrationChoice = createRegistrationChoice(db)
    const passwordLinks = createPasswordLinks(db)
    const audit = createAudit(db)
    const spaceRecords = createSpaceRecords(db, { accessLists, history })
    const provenAddresses = createProvenAddresses(db)
    const identities = createIdentities(db)
    const passkeys = createPasskeys(db)
    const addressChanges = createAddressChanges(db)
    const accounts = createAccounts(db, {
      users,
      sessions,
      passwordLinks,
      provenAddresses,
      identities,
      passkeys,
      addressChanges,
      spaceRecords,
      accessLists,
    })
    const returningAccounts = createReturningAccounts({ users, seals })
    const registration = createRegistration(db, {
      users,
      accounts,
      invites,
      serverInvites,
      choice: registrationChoice,
    })
    const versionOf = () => db.pragma('data_version', { simple: true })
    let version = versionOf()
    const checkPlace = (): void => {
      lock.check()
      try {
        files.checkPlace()
        checkLog(db)
        const spoilt = spoiltBy(db)
        if (spoilt !== undefined) throw spoilt
      } catch (error) {
        throw error instanceof Error ? new StorageFailure(path, error) : error
      }
    }
    const isInPlace = (): boolean => {
      try {
        checkPlace()
        return true
      } catch {
        return false
      }
    }
    const touch = db.transaction(() =>
      db.pragma(`user_version = ${Number(db.pragma('user_version', { simple: true }))}`),
    )
    return {
      signingSecret,
      setAside,
      users,
      sessions,
      accounts,
      accessLists,
      seals,
      spaceRecords,
      spacePayers: createSpacePayers(db),
      members,
      invites,
      serverInvites,
      passwordLinks,
      provenAddresses,
      identities,
      passkeys,
      waysToSignIn: createWaysToSignIn(db, { users, identities, passkeys }),
      addressChanges,
      returningAccounts,
      registration,
      providerSignIn: createProviderSignIn(db, {
        users,
        identities,
        provenAddresses,
        registration,
        returningAccounts,
      }),
      registrationChoice,
      audit,
      directory: createDirectory(db),
      adminPages: createAdminPages(db),
      counts: createPlatformCounts(db),
      storedTimes: createStoredTimes(db, { refreshTokenTtlMs }),
      changedByOthers() {
        const before = version
        version = versionOf()
        return version !== before
      },
      checkPlace,
      checkWritable: () => void touch.immediate(),
      tidy(now) {
        sessions.removeExpired(now)
        invites.removeExpired(now)
        serverInvites.removeExpired(now)
        passwordLinks.removeExpired(now)
        addressChanges.removeExpired(now)
        audit.removeOld(now)
      },
      close() {
        const isOurs = db.open && isInPlace()
        if (spoiltBy(db) === undefined) files.close()
        else files.abandon()
        if (isOurs) markEnd(path)
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}
