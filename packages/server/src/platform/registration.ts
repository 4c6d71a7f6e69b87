import { type RegistrationMode, SyncError } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import type { Accounts } from './accounts.ts'
import type { Invites } from './invites.ts'
import type { RegistrationChoice } from './registration-choice.ts'
import type { ServerInvites } from './server-invites.ts'
import type { NewUser, Users } from './users.ts'

/** What somebody has to show who signs up. */
export interface Ticket {
  /** Who may sign up by the setting, which counts unless the operator has chosen something else. */
  readonly setting: RegistrationMode
  /** The token of an invite to a space or to the server. */
  readonly invite?: string | undefined
  /** The server has vouched for this account before, and has lost it: a seal says so. */
  readonly isReturning: boolean
}

/** Who may sign up. */
export interface Registration {
  /** Who may sign up now. */
  mode(setting: RegistrationMode): RegistrationMode
  /**
   * Throws `forbidden` where registration is closed or takes an invite and there is none; `not_found` or
   * `invite_expired` for an invite that is not valid. Returns the token of the invite to a space that admits, if one does.
   */
  check(ticket: Ticket, now: number): string | undefined
  /**
   * Adds the user, and uses up an invite to the server, in one transaction: while a password is hashed, another sign-up
   * may be the first, or use the same invite, and the operator may close the door. Throws like `check`, and `already_exists` like `Accounts.add`.
   */
  add(user: NewUser, ticket: Ticket, now: number): void
}

export function createRegistration(
  db: Database,
  deps: {
    readonly users: Users
    readonly accounts: Accounts
    readonly invites: Invites
    readonly serverInvites: ServerInvites
    readonly choice: Pick<RegistrationChoice, 'read'>
  },
): Registration {
  const { users, accounts, invites, serverInvites, choice } = deps
  const modeOf = (setting: RegistrationMode): RegistrationMode => choice.read()?.mode ?? setting

  /** Returns the invite that admits; undefined when none is needed. */
  function admit({ setting, invite, isReturning }: Ticket, now: number): string | undefined {
    if (isReturning) return undefined
    const mode = modeOf(setting)
    if (mode === 'closed') {
      throw new SyncError('forbidden', 'This server takes no new accounts', { reason: 'sign_up_closed' })
    }
    if (mode === 'open' || !users.exist()) return undefined
    if (invite === undefined) {
      const message =
        'This server takes new accounts by invite only: ask somebody who is here for an invite link'
      throw new SyncError('forbidden', message, { reason: 'invite_needed', at: 'invite' })
    }
    if (serverInvites.has(invite)) serverInvites.check(invite, now)
    else invites.find(invite, now)
    return invite
  }

  const add = db.transaction((user: NewUser, ticket: Ticket, now: number) => {
    const invite = admit(ticket, now)
    accounts.add(user, now)
    // An invite to a space stays good for the others who have its link.
    if (invite !== undefined && serverInvites.has(invite)) serverInvites.use(invite, now)
  })

  return {
    mode: modeOf,
    check(ticket, now) {
      const invite = admit(ticket, now)
      return invite === undefined || serverInvites.has(invite) ? undefined : invite
    },
    add: (user, ticket, now) => add.immediate(user, ticket, now),
  }
}
