import { SyncError, type User } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'

import { callerOf } from './authenticate.ts'
import type { SignInLimits } from './rate-limits.ts'
import type { RouteDeps } from './route.ts'

export interface PasswordConfirmation {
  /** The caller's account. Throws `unauthenticated` when it is gone. */
  readonly callingUser: (request: FastifyRequest) => User
  /**
   * Runs `work` with the account that the password belongs to, and the hash that it was checked against. Rejects with
   * `wrong_credentials`, and `rate_limited` after too many attempts of the session.
   */
  readonly confirmed: <Result>(
    request: FastifyRequest,
    password: string,
    work: (account: User & { readonly passwordHash: string }) => Result | Promise<Result>,
  ) => Promise<Result>
}

/** For routes that ask for the password once more: an access token alone must not suffice. */
export function createPasswordConfirmation(
  { platform, passwordsOfKnown: passwords }: Pick<RouteDeps, 'platform' | 'passwordsOfKnown'>,
  limits: Pick<SignInLimits, 'confirm'>,
): PasswordConfirmation {
  const { users } = platform

  function callingUser(request: FastifyRequest): User {
    const user = users.byId(callerOf(request).userId)
    if (user === undefined) throw new SyncError('unauthenticated', 'The account is gone')
    return user
  }

  return {
    callingUser,
    confirmed: (request, password, work) =>
      limits.confirm(callerOf(request), async () => {
        const account = users.byEmail(callingUser(request).email)
        const match = await passwords.verify(account?.passwordHash, password)
        if (match === undefined || account === undefined) {
          throw new SyncError('wrong_credentials', 'This is not the password of the account', {
            at: 'password',
          })
        }
        return work(account)
      }),
  }
}
