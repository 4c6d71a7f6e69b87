import {
  passwordLinkBodySchema,
  passwordLinkSchema,
  sessionSchema,
  setPasswordBodySchema,
  SyncError,
} from '@t69/protocol'

import type { AccountRoutesDeps } from './account-routes.ts'
import { deviceOf } from './device-name.ts'
import { createNoteDone } from './note-done.ts'
import { errorResponses } from './openapi.ts'
import { createPreviewLimit } from './rate-limits.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { createTellOwner } from './tell-owner.ts'

/**
 * The routes of a link by which somebody sets a password who forgot theirs. Whoever has the link is taken for them: they need
 * no session, and do not wait behind strangers who sign in.
 */
export function passwordLinkRoutes(
  app: HttpApp,
  deps: RouteDeps,
  { answer }: Pick<AccountRoutesDeps, 'answer'>,
): void {
  const { config, platform, passwordsOfKnown: passwords, liveSockets, now, monotonic } = deps
  const { users, accounts, passwordLinks } = platform
  const preHandler = createPreviewLimit(config, monotonic)
  const noteDone = createNoteDone(deps)
  const tellOwner = createTellOwner(deps)
  const tags = ['auth']

  function ownerOf(token: string) {
    const { userId, expiresAt } = passwordLinks.find(token, now())
    const user = users.byId(userId)
    if (user === undefined) throw new SyncError('not_found', 'There is no such link to set a password')
    return { user, expiresAt }
  }

  app.post('/api/auth/password-link/preview', {
    config: { rateLimit: false },
    preHandler,
    schema: {
      tags,
      summary: 'Whose password a link sets',
      description: 'For anyone with the link. Changes nothing.',
      body: passwordLinkBodySchema,
      response: { 200: passwordLinkSchema, ...errorResponses('not_found', 'invite_expired') },
    },
    handler: async (request) => ownerOf(request.body.token),
  })

  app.post('/api/auth/password-link', {
    config: { rateLimit: false },
    preHandler,
    schema: {
      tags,
      summary: 'Set a password by a link, and sign in',
      description:
        'The operator makes the link (`t69-server users reset-password`), or it was sent by mail. It works once, and ends ' +
        'every session of the account, with their sockets, and what connects it with a provider.',
      body: setPasswordBodySchema,
      response: { 200: sessionSchema, ...errorResponses('not_found', 'invite_expired') },
    },
    handler: async (request, reply) => {
      const { token, newPassword, session: kind } = request.body
      // First, so that a guess costs no hash.
      const { user } = ownerOf(token)
      const next = await passwords.hash(newPassword)
      const { issued, sessionIds } = accounts.setPasswordByLink(token, next, now(), deviceOf(request))
      for (const id of sessionIds) liveSockets.sessionEnded(id)
      noteDone(request, user.id, 'password set by a link', { userId: user.id })
      tellOwner(request, 'passwordChanged', user)
      return answer(request, reply, { ...issued, user, kind })
    },
  })
}
