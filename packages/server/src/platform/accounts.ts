import { SyncError, type SpaceId, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import { prepareQuery } from './prepare-query.ts'
import { sqlRolesWith } from './roles-in-sql.ts'
import type { IssuedRefresh, Sessions } from './sessions.ts'
import type { SpaceRecords } from './space-records.ts'
import type { Users } from './users.ts'

/** Changes of an account as a whole, each in one transaction. */
export interface Accounts {
  /**
   * Deletes the user's name, address, sessions, memberships and invites, and the spaces without other members. Edits in
   * other spaces stay. Throws `forbidden`, and names the spaces, when members would be left without an owner. Returns
   * the sessions whose sockets have to end, and the spaces whose files have to be removed.
   */
  delete(userId: UserId, now: number): { readonly sessionIds: string[]; readonly spaceIds: SpaceId[] }
  /**
   * Sets another password, ends every session, and starts a new one for the caller: all tokens of old sessions, of the
   * caller's too, are void. Throws `wrong_credentials` when the checked password is no longer the account's.
   */
  changePassword(
    userId: UserId,
    hashes: { readonly checked: string; readonly next: string },
    now: number,
  ): { readonly issued: IssuedRefresh; readonly sessionIds: string[] }
}

/** Spaces that a refusal names. */
const maxNamed = 5

export function createAccounts(
  db: Database,
  deps: { readonly users: Users; readonly sessions: Sessions; readonly spaceRecords: SpaceRecords },
): Accounts {
  const { users, sessions, spaceRecords } = deps
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
              .whereRef('others.user_id', '!=', 'members.user_id'),
          ),
        ),
      ),
  )
  const selectLastOwner = prepareQuery(db, (q, given: { userId: UserId }) =>
    q
      .selectFrom('members')
      .innerJoin('spaces', 'spaces.id', 'members.space_id')
      .select('spaces.name as name')
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

  const deleteAccount = db.transaction((userId: UserId, now: number) => {
    const spaceIds = selectAlone.all({ userId }).map(({ id }) => id)
    for (const id of spaceIds) spaceRecords.remove(id, now)
    const orphaned = selectLastOwner.all({ userId }).map(({ name }) => name)
    if (orphaned.length > 0) throw new SyncError('forbidden', lastOwnerMessage(orphaned))
    const sessionIds = sessions.endAll(userId)
    users.delete(userId)
    return { sessionIds, spaceIds }
  })

  const changePassword = db.transaction((userId: UserId, checked: string, next: string, now: number) => {
    if (!users.changePassword(userId, checked, next)) {
      throw new SyncError('wrong_credentials', 'The password was changed a moment ago')
    }
    const sessionIds = sessions.endAll(userId)
    return { issued: sessions.start(userId, now), sessionIds }
  })

  return {
    delete(userId, now) {
      const gone = deleteAccount.immediate(userId, now)
      emptyWal(db)
      return gone
    },
    changePassword: (userId, { checked, next }, now) => changePassword.immediate(userId, checked, next, now),
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
 * keeps it from being emptied: the next checkpoint empties it then.
 */
function emptyWal(db: Database): void {
  const waitMs = Number(db.pragma('busy_timeout', { simple: true }))
  db.pragma('busy_timeout = 0')
  try {
    db.pragma('wal_checkpoint(TRUNCATE)')
  } finally {
    db.pragma(`busy_timeout = ${waitMs}`)
  }
}
