import { SyncError, type UserId } from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'

import type { NewUser } from '../platform/users.ts'
import { callerOf } from './authenticate.ts'
import { isFresh, type ProviderVisits } from './provider-visits.ts'
import type { SignInLimits } from './rate-limits.ts'
import type { RouteDeps } from './route.ts'

/**
 * Runs `work` with the account that the password belongs to, and the hash that it was checked against. Throws
 * `wrong_credentials`.
 */
export type Confirmed = <Result>(
  given: { readonly userId: UserId; readonly sessionId: string; readonly password: string },
  work: (account: NewUser) => Result | Promise<Result>,
) => Promise<Result>

export function createConfirmed(
  { platform, passwordsOfKnown: passwords }: Pick<RouteDeps, 'platform' | 'passwordsOfKnown'>,
  limits: Pick<SignInLimits, 'confirm'>,
): Confirmed {
  const { users } = platform
  return async ({ password, ...caller }, work) =>
    limits.confirm(caller, async () => {
      const user = users.byId(caller.userId)
      const account = user && users.byEmail(user.email)
      const match = await passwords.verify(account?.passwordHash, password)
      if (match === undefined || account === undefined) {
        const message = 'This is not the password of the account'
        throw new SyncError('wrong_credentials', message, { at: 'password' })
      }
      return work(account)
    })
}

/**
 * Runs `work` with the account of the caller, once it is clear that its owner asks: by the password, or for an account without one by
 * having just signed in to the provider again. Throws `wrong_credentials` or `forbidden`.
 */
export type ConfirmedCaller = <Result>(
  request: FastifyRequest,
  reply: FastifyReply,
  password: string | undefined,
  work: (account: NewUser) => Result | Promise<Result>,
) => Promise<Result>

export function createConfirmedCaller(
  { platform: { users, identities } }: Pick<RouteDeps, 'platform'>,
  withPassword: Confirmed,
  visits: Pick<ProviderVisits, 'take'>,
): ConfirmedCaller {
  return async (request, reply, password, work) => {
    const { userId, sessionId } = callerOf(request)
    if (password !== undefined) return withPassword({ userId, sessionId, password }, work)
    const user = users.byId(userId)
    const account = user && users.byEmail(user.email)
    if (account === undefined || account.passwordHash !== '') {
      throw new SyncError('wrong_credentials', 'The password of the account is needed', { at: 'password' })
    }
    const { person, startedAt } = visits.take(request, reply, { purpose: 'confirm', userId, sessionId })
    if (identities.userOf(person) !== userId || !isFresh(person, startedAt)) {
      throw new SyncError('wrong_credentials', 'You have not signed in there again as who you are here')
    }
    return work(account)
  }
}
