import { SyncError, type SpaceId, type User, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import type { AccessLists } from './access-lists.ts'
import type { AddressChanges } from './address-changes.ts'
import type { Identities } from './identities.ts'
import type { Passkeys } from './passkeys.ts'
import type { PasswordLinks } from './password-links.ts'
import { prepareQuery } from './prepare-query.ts'
import type { ProvenAddresses } from './proven-addresses.ts'
import { sqlRolesWith } from './roles-in-sql.ts'
import type { IssuedRefresh, Sessions } from './sessions.ts'
import type { SpaceRecords } from './space-records.ts'
import { noticing } from './spoilt-database.ts'
import type { NewUser, Users } from './users.ts'

/** Changes of an account as a whole, each in one transaction. */
export interface Accounts {
  /**
   * Adds an account. One that the server had lost, and that comes back with its user id, is a member again of the spaces
   * that remember it (SPEC.md, SI9). Throws `already_exists` when the address is taken.
   */
  add(user: NewUser, now: number): void
  /**
   * Deletes the user's name, address, sessions, memberships and invites, and the spaces without other members. Edits in
   * other spaces stay. Throws `forbidden`, and names the spaces, when members would be left without an owner. Returns
   * the sessions whose sockets have to end, and the spaces whose files have to be removed. The caller ends the sockets,
   * then announces the changed access lists.
   */
  delete(userId: UserId, now: number): { readonly sessionIds: string[]; readonly spaceIds: SpaceId[] }
  /**
   * Sets another password, ends every session, and starts a new one for the caller: all tokens of old sessions, of the
   * caller's too, are void, and so is a link to set a password. In the place of another password, it also ends what connects the
   * account with a provider, and removes its passkeys but for `passkeyId`, with which the caller has shown who they are. Throws
   * `wrong_credentials` when the checked password is no longer the account's. `device` is as for `Sessions.start`.
   */
  changePassword(
    userId: UserId,
    given: { readonly checked: string; readonly next: string; readonly passkeyId?: string | undefined },
    now: number,
    device?: string,
  ): { readonly issued: IssuedRefresh; readonly sessionIds: string[] }
  /**
   * Sets another password by a link, which is used up, ends every session, and starts a new one. A link that was sent by
   * mail proves the address. Throws like `PasswordLinks.find`. `device` is as for `Sessions.start`.
   */
  setPasswordByLink(
    token: string,
    next: string,
    now: number,
    device?: string,
  ): { readonly issued: IssuedRefresh; readonly sessionIds: string[] }
  /**
   * Gives the account the address that the link was sent to, which proves it. Links that were sent to the address before are
   * void. Throws like `AddressChanges.find`, and `already_exists` when the address was taken meanwhile.
   */
  changeAddress(userId: UserId, token: string, now: number): { readonly user: User; readonly before: User }
  /** The spaces that `delete` would delete with the account. Throws like it. */
  aloneOf(userId: UserId): SpaceId[]
  /**
   * Sets another password, whatever it was, and ends every session, link, passkey and connection with a provider: whoever was in
   * the account has to show again that it is theirs. Returns the sessions whose sockets have to end; undefined for an account that
   * does not exist.
   */
  resetPassword(userId: UserId, next: string, now: number): string[] | undefined
}

/** Spaces that a refusal names. */
const maxNamed = 5

export function createAccounts(
  db: Database,
  deps: {
    readonly users: Users
    readonly sessions: Sessions
    readonly passwordLinks: PasswordLinks
    readonly provenAddresses: ProvenAddresses
    readonly identities: Identities
    readonly passkeys: Passkeys
    readonly addressChanges: AddressChanges
    readonly spaceRecords: SpaceRecords
    readonly accessLists: Pick<AccessLists, 'welcomeBack'>
  },
): Accounts {
  const {
    users,
    sessions,
    passwordLinks,
    provenAddresses,
    identities,
    passkeys,
    addressChanges,
    spaceRecords,
    accessLists,
  } = deps
  const selectAlone = prepareQuery(db, (q, given: { userId: UserId }) =>
    q
      .selectFrom('members')
      .select('space_id as id')
      .where('user_id', '=', given.userId)
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('members as others')
              .select('others.user_id')
              .whereRef('others.space_id', '=', 'members.space_id')
              .whereRef('others.user_id', '!=', 'members.user_id')
              .unionAll(
                eb
                  .selectFrom('non_members as absent')
                  .select('absent.user_id')
                  .whereRef('absent.space_id', '=', 'members.space_id')
                  .where('absent.role', 'is not', sql.lit(null)),
              ),
          ),
        ),
      ),
  )
  const selectLastOwner = prepareQuery(db, (q, given: { userId: UserId }) =>
    q
      .selectFrom('members')
      .innerJoin('spaces', 'spaces.id', 'members.space_id')
      .select(['spaces.id as id', 'spaces.name as name'])
      .where('members.user_id', '=', given.userId)
      .where('members.role', 'in', sqlRolesWith('own'))
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('members as others')
              .select('others.user_id')
              .whereRef('others.space_id', '=', 'members.space_id')
              .whereRef('others.user_id', '!=', 'members.user_id')
              .where('others.role', 'in', sqlRolesWith('own')),
          ),
        ),
      )
      .orderBy('spaces.created_at')
      .orderBy('spaces.id'),
  )

  const add = db.transaction((user: NewUser, now: number) => {
    users.add(user, now)
    accessLists.welcomeBack(user.id)
  })

  function aloneOf(userId: UserId): SpaceId[] {
    const spaceIds = selectAlone.all({ userId }).map(({ id }) => id)
    const orphaned = selectLastOwner.all({ userId }).filter(({ id }) => !spaceIds.includes(id))
    if (orphaned.length > 0) {
      const names = orphaned.map(({ name }) => name)
      const details = { reason: 'last_owner', names: names.slice(0, maxNamed) } as const
      throw new SyncError('forbidden', lastOwnerMessage(names), details)
    }
    return spaceIds
  }

  const deleteAccount = db.transaction((userId: UserId, now: number) => {
    const spaceIds = aloneOf(userId)
    for (const id of spaceIds) spaceRecords.remove(id, now)
    const sessionIds = sessions.endAll(userId)
    users.delete(userId)
    return { sessionIds, spaceIds }
  })

  /** Whoever asked for them may have been somebody else. */
  function endLinks(userId: UserId, now: number): void {
    passwordLinks.endAll(userId, now)
    addressChanges.end(userId)
  }

  const changePassword = db.transaction(
    (
      userId: UserId,
      { checked, next, passkeyId }: Parameters<Accounts['changePassword']>[1],
      now: number,
      device: string | undefined,
    ) => {
      if (!users.changePassword(userId, checked, next)) {
        throw new SyncError('wrong_credentials', 'The password was changed a moment ago')
      }
      // Whoever had the password may have left themselves other ways in. Without one, these are its owner's only ways.
      if (checked !== '') {
        identities.removeAll(userId)
        passkeys.removeAll(userId, passkeyId)
      }
      endLinks(userId, now)
      const sessionIds = sessions.endAll(userId)
      return { issued: sessions.start(userId, now, device), sessionIds }
    },
  )

  const resetPassword = db.transaction((userId: UserId, next: string, now: number) => {
    const user = users.byId(userId)
    const before = user && users.byEmail(user.email)?.passwordHash
    if (before === undefined || !users.changePassword(userId, before, next)) return undefined
    identities.removeAll(userId)
    passkeys.removeAll(userId)
    endLinks(userId, now)
    return sessions.endAll(userId)
  })

  const setPasswordByLink = db.transaction(
    (token: string, next: string, now: number, device: string | undefined) => {
      const { userId, isMailed } = passwordLinks.find(token, now)
      const sessionIds = resetPassword(userId, next, now)
      if (sessionIds === undefined) throw new SyncError('not_found', 'The account is gone')
      const user = users.byId(userId)
      if (isMailed && user !== undefined) provenAddresses.note(user, now)
      return { issued: sessions.start(userId, now, device), sessionIds }
    },
  )

  const changeAddress = db.transaction((userId: UserId, token: string, now: number) => {
    const email = addressChanges.find(userId, token, now)
    const before = users.byId(userId)
    users.changeAddress(userId, email)
    const user = users.byId(userId)
    if (before === undefined || user === undefined) throw new SyncError('not_found', 'The account is gone')
    endLinks(userId, now)
    provenAddresses.note(user, now)
    return { user, before }
  })

  return {
    aloneOf,
    changeAddress: (userId, token, now) => changeAddress.immediate(userId, token, now),
    resetPassword: (userId, next, now) => resetPassword.immediate(userId, next, now),
    setPasswordByLink: (token, next, now, device) => setPasswordByLink.immediate(token, next, now, device),
    add: (user, now) => add.immediate(user, now),
    delete(userId, now) {
      const gone = deleteAccount.immediate(userId, now)
      emptyWal(db)
      return gone
    },
    changePassword: (userId, given, now, device) => changePassword.immediate(userId, given, now, device),
  }
}

function lastOwnerMessage(names: readonly string[]): string {
  const named = names.slice(0, maxNamed).map((name) => `“${name}”`)
  const more = names.length - named.length
  const list = [...named, ...(more > 0 ? [`${more} more`] : [])].join(', ')
  const them = names.length === 1 ? 'it' : 'them'
  const first = `make somebody else an owner, or delete ${them}, first`
  return `You are the last owner of ${list}, and others are in ${them}: ${first}`
}

/**
 * Empties the write-ahead log, which still has the deleted pages. Does not wait for a reader of the database, which
 * keeps it from being emptied: the next checkpoint empties it then. Never throws.
 */
function emptyWal(db: Database): void {
  const waitMs = Number(db.pragma('busy_timeout', { simple: true }))
  db.pragma('busy_timeout = 0')
  try {
    noticing(db, () => db.pragma('wal_checkpoint(TRUNCATE)'))
  } catch {
    // The disk is full or fails. The account is deleted all the same, and whoever asked for that has more to do.
  } finally {
    db.pragma(`busy_timeout = ${waitMs}`)
  }
}
