import { changePasswordBodySchema, proofSchema, sessionSchema, SyncError, type User } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import type { AnswerSession } from './answer-session.ts'
import { authenticateBy, callerOf } from './authenticate.ts'
import type { ConfirmedCaller } from './confirm-caller.ts'
import { deviceOf } from './device-name.ts'
import { createNoteDone } from './note-done.ts'
import { bearer, errorResponses } from './openapi.ts'
import type { SignInLimits } from './rate-limits.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import type { SessionCookie } from './session-cookie.ts'
import { createTellOwner } from './tell-owner.ts'

export interface AccountRoutesDeps {
  readonly confirmed: ConfirmedCaller
  readonly answer: AnswerSession
  readonly cookie: Pick<SessionCookie, 'clear'>
  readonly limits: Pick<SignInLimits, 'change'>
}

/**
 * The routes that ask who somebody is once more. They use POST: a proxy may drop the body of a DELETE, and a password in a URL would
 * be logged.
 */
export function accountRoutes(
  app: HttpApp,
  deps: RouteDeps,
  { confirmed, answer, cookie, limits }: AccountRoutesDeps,
): void {
  const { platform, access, passwordsOfKnown: passwords, tokens, spaceDeletion, liveSockets, now } = deps
  const { users, accounts, accessLists, spaceRecords } = platform
  const preParsing = authenticateBy(tokens)
  const noteDone = createNoteDone(deps)
  const tellOwner = createTellOwner(deps)
  const tags = ['auth']
  const security = bearer

  function callingUser(request: FastifyRequest): User {
    const user = users.byId(callerOf(request).userId)
    if (user === undefined) throw new SyncError('unauthenticated', 'The account is gone')
    return user
  }

  app.post('/api/auth/change-password', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Change the password',
      description:
        'Ends every session of the account, the caller’s included, with their sockets, and answers with a new ' +
        'session. Nobody can use tokens of the old sessions any more. In the place of another password, it also ends what ' +
        'connects the account with a provider, and its passkeys, but for one that the caller has confirmed this with.',
      body: changePasswordBodySchema,
      response: { 200: sessionSchema, ...errorResponses('unauthenticated', 'wrong_credentials') },
    },
    handler: async (request, reply) => {
      const { newPassword, session: kind, ...proof } = request.body
      return confirmed(request, reply, proof, async ({ email, passwordHash: checked, passkeyId }) =>
        limits.change(request, email, async () => {
          const next = await passwords.hash(newPassword)
          // Both took a while: the session may have ended, and the account may be gone.
          const user = callingUser(request)
          const { issued, sessionIds } = accounts.changePassword(
            user.id,
            { checked, next, passkeyId },
            now(),
            deviceOf(request),
          )
          for (const id of sessionIds) liveSockets.sessionEnded(id)
          noteDone(request, user.id, 'password changed', { userId: user.id })
          tellOwner(request, 'passwordChanged', user)
          return answer(request, reply, { ...issued, user, kind })
        }),
      )
    },
  })

  app.post('/api/auth/delete-account', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Delete the account for good',
      description:
        'Erases name and address, ends all sessions, deletes spaces without other members, and leaves the others, ' +
        'where the user’s edits stay. `forbidden` for the last owner of a space with other members.',
      body: proofSchema,
      response: {
        204: z.undefined().describe('Deleted'),
        ...errorResponses('unauthenticated', 'wrong_credentials', 'forbidden', 'storage_failed'),
      },
    },
    handler: async (request, reply) => {
      await confirmed(request, reply, request.body, async () => {
        // The log of a space may know of members that the accounts have lost: it is not the user's alone then.
        const { id: asking } = callingUser(request)
        await access.askAll(
          asking,
          spaceRecords.listFor(asking).map(({ id }) => id),
        )
        const { id: userId } = callingUser(request)
        const { sessionIds, spaceIds } = accounts.delete(userId, now())
        for (const id of sessionIds) liveSockets.sessionEnded(id)
        noteDone(request, userId, 'account deleted', { userId })
        for (const spaceId of spaceIds) noteDone(request, userId, 'space deleted', { spaceId })
        accessLists.announce()
        for (const id of spaceIds) await spaceDeletion.clear(id)
      })
      cookie.clear(request, reply)
      return reply.code(204).send()
    },
  })
}
