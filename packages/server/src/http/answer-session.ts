import type { SessionReply, User } from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'

import type { ReturningAccounts } from '../platform/returning-accounts.ts'
import type { IssuedRefresh } from '../platform/sessions.ts'
import { noteUser } from './request-log.ts'
import type { RouteDeps } from './route.ts'
import type { SessionCookie } from './session-cookie.ts'

export type AnswerSession = (
  request: FastifyRequest,
  reply: FastifyReply,
  issued: IssuedRefresh & { readonly user: User; readonly kind: 'body' | 'cookie' },
) => SessionReply

/** Answers with a session. The refresh token goes into the body or a cookie, as the client asked. */
export function createSessionAnswer(
  tokens: RouteDeps['tokens'],
  accounts: Pick<ReturningAccounts, 'sealOf'>,
  cookie: SessionCookie,
): AnswerSession {
  return (request, reply, { user, sessionId, refreshToken, kind }) => {
    const session = { user, seal: accounts.sealOf(user), ...tokens.issue(user, sessionId) }
    noteUser(request, user.id)
    if (kind === 'body') return { ...session, refreshToken }
    cookie.set(request, reply, refreshToken)
    cookie.remember(request, reply, user.id)
    return session
  }
}
