import { type Proof, SyncError } from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'

import type { NewUser } from '../platform/users.ts'
import { knownCaller } from './authenticate.ts'
import type { PasskeyChecks } from './passkey-checks.ts'
import { isFresh, type ProviderVisits } from './provider-visits.ts'
import type { SignInLimits } from './rate-limits.ts'
import type { RouteDeps } from './route.ts'

/** An account whose owner has shown that it is they who ask. */
export type ConfirmedAccount = NewUser & {
  /** The passkey that showed it. */
  readonly passkeyId?: string
}

/**
 * Runs `work` with the account of the caller, once it is clear that its owner asks: by the password, by a passkey, or for an account
 * without a password by having just signed in to the provider again. Throws `wrong_credentials` or `forbidden`.
 */
export type ConfirmedCaller = <Result>(
  request: FastifyRequest,
  reply: FastifyReply,
  proof: Proof,
  work: (account: ConfirmedAccount) => Result | Promise<Result>,
) => Promise<Result>

export function createConfirmedCaller(
  deps: Pick<RouteDeps, 'platform' | 'passwordsOfKnown' | 'tokens'>,
  given: {
    readonly limits: Pick<SignInLimits, 'confirm'>
    readonly visits: Pick<ProviderVisits, 'take'>
    /** Undefined where there are no passkeys. */
    readonly checks: Pick<PasskeyChecks, 'owner'> | undefined
  },
): ConfirmedCaller {
  const { platform, passwordsOfKnown: passwords, tokens } = deps
  const { users, identities } = platform
  const { limits, visits, checks } = given

  return async (request, reply, { password, passkey }, work) => {
    const caller = knownCaller(tokens, request)
    if (caller === undefined) throw new SyncError('unauthenticated', 'An access token is needed: sign in')
    const { userId, sessionId } = caller
    const accountOf = (): NewUser | undefined => {
      const user = users.byId(userId)
      return user && users.byEmail(user.email)
    }
    if (password !== undefined) {
      return limits.confirm(caller, async () => {
        const account = accountOf()
        const match = await passwords.verify(account?.passwordHash, password)
        if (match === undefined || account === undefined) {
          const message = 'This is not the password of the account'
          throw new SyncError('wrong_credentials', message, { at: 'password' })
        }
        return work(account)
      })
    }
    if (passkey !== undefined && checks !== undefined) {
      return limits.confirm(caller, async () => {
        const { passkeyId } = await checks.owner(
          { purpose: 'confirm', userId, sessionId },
          passkey,
          request.log,
        )
        const account = accountOf()
        if (account === undefined) throw new SyncError('unauthenticated', 'The account is gone')
        return work({ ...account, passkeyId })
      })
    }
    const account = accountOf()
    if (account === undefined || account.passwordHash !== '') {
      const message = 'The password of the account, or a passkey, is needed'
      throw new SyncError('wrong_credentials', message, { at: 'password' })
    }
    const { person, startedAt } = visits.take(request, reply, { purpose: 'confirm', userId, sessionId })
    if (identities.userOf(person) !== userId || !isFresh(person, startedAt)) {
      throw new SyncError('wrong_credentials', 'You have not signed in there again as who you are here')
    }
    return work(account)
  }
}
