import type { AccountState, User, UserId } from '@t69/protocol'

import type { SealedAccount, Seals } from './seals.ts'
import type { Users } from './users.ts'

/**
 * Whose account somebody continues who signs up with the address of one that this server may have lost. A seal shows the
 * account, and not who holds the seal: a device in a library keeps the seals of everybody who signed in there. So an
 * address that was given up here, by deleting an account that had it, brings back no account from before (SPEC.md, SI9).
 */
export interface ReturningAccounts {
  /** The user id that comes back to whoever signs up with this address and this seal. */
  idOf(email: string, seal: string | undefined): UserId | undefined
  /** What this server knows of the account with this id and seal, which had the address of the user who asks. */
  stateOf(account: { readonly userId: UserId; readonly seal: string }, asking: User): AccountState
  /** The seal of an account, for its devices. */
  sealOf(user: User): string
}

export function createReturningAccounts({ users, seals }: { users: Users; seals: Seals }): ReturningAccounts {
  /** An account with the address was deleted here since this one was made, or nobody knows when this one was made. */
  function wasGivenUp(email: string, deletedBefore: readonly UserId[]): boolean {
    return users.deletedWith(email).some((id) => !deletedBefore.includes(id))
  }

  function stateOf({ userId, email, deletedBefore }: SealedAccount): AccountState {
    if (users.byId(userId) !== undefined) return 'here'
    return users.wasDeleted(userId) || wasGivenUp(email, deletedBefore) ? 'deleted' : 'lost'
  }

  return {
    idOf(email, seal) {
      const sealed = seal === undefined ? undefined : seals.openAccount(seal)
      return sealed?.email === email && stateOf(sealed) === 'lost' ? sealed.userId : undefined
    },
    stateOf({ userId, seal }, { email }) {
      const sealed = seals.openAccount(seal)
      const isTheirs = sealed?.userId === userId && sealed.email === email
      return stateOf(isTheirs ? sealed : { userId, email, deletedBefore: [] })
    },
    sealOf: ({ id, email }) =>
      seals.sealAccount({ userId: id, email, deletedBefore: users.deletedWith(email) }),
  }
}
