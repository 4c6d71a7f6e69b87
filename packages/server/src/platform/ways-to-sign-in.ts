import { SyncError, type UserId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import type { Identities } from './identities.ts'
import type { Passkeys } from './passkeys.ts'
import type { Users } from './users.ts'

/** What this server offers beside passwords. */
export interface Offers {
  readonly issuer: string | undefined
  /** The host name that passkeys are for. */
  readonly rpId: string | undefined
}

/** How the owner of an account may sign in, with what the server offers. */
export interface Ways {
  readonly hasPassword: boolean
  readonly isConnected: boolean
  /** How many passkeys work here. */
  readonly passkeys: number
}

/** Takes ways to sign in from an account, and never the last one. A link that is mailed is none: it is for whoever has lost them. */
export interface WaysToSignIn {
  /** Undefined for an account that does not exist. */
  of(userId: UserId, offers: Offers): Ways | undefined
  /** Throws `not_found`, and `forbidden` for the last way to sign in. */
  removePasskey(userId: UserId, id: string, offers: Offers): void
  /** Ends what connects the account with the provider. Throws `not_found`, and `forbidden` for the last way to sign in. */
  disconnect(userId: UserId, issuer: string, offers: Offers): void
}

export function createWaysToSignIn(
  db: Database,
  deps: { readonly users: Users; readonly identities: Identities; readonly passkeys: Passkeys },
): WaysToSignIn {
  const { users, identities, passkeys } = deps

  function of(userId: UserId, { issuer, rpId }: Offers): Ways | undefined {
    const user = users.byId(userId)
    const account = user && users.byEmail(user.email)
    if (account === undefined) return undefined
    return {
      hasPassword: account.passwordHash !== '',
      isConnected: issuer !== undefined && identities.has(userId, issuer),
      passkeys: rpId === undefined ? 0 : passkeys.idsOf(userId, rpId).length,
    }
  }

  /** Runs `remove` in a transaction, which is rolled back if it has taken the last way. */
  const keepingOne = db.transaction((userId: UserId, offers: Offers, remove: () => void) => {
    const count = (): number => {
      const ways = of(userId, offers)
      return ways === undefined ? 0 : Number(ways.hasPassword) + Number(ways.isConnected) + ways.passkeys
    }
    const before = count()
    remove()
    if (before > 0 && count() === 0) {
      const message = 'You could not sign in any more: set a password first'
      throw new SyncError('forbidden', message, { reason: 'last_way_in' })
    }
  })

  return {
    of,
    removePasskey: (userId, id, offers) =>
      keepingOne.immediate(userId, offers, () => {
        if (!passkeys.remove(userId, id)) throw new SyncError('not_found', 'There is no such passkey')
      }),
    disconnect: (userId, issuer, offers) =>
      keepingOne.immediate(userId, offers, () => {
        if (!identities.end(userId, issuer)) {
          throw new SyncError('not_found', 'The account is not connected with the provider')
        }
      }),
  }
}
