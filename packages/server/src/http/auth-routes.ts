import {
  loginBodySchema,
  logoutBodySchema,
  randomHexId,
  refreshBodySchema,
  registerBodySchema,
  sessionSchema,
  SyncError,
  userIdSchema,
  userSchema,
} from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import type { NewUser } from '../platform/users.ts'
import { accountRoutes } from './account-routes.ts'
import { createSessionAnswer } from './answer-session.ts'
import { authenticateBy, bearerTokenOf, callerOf } from './authenticate.ts'
import { bearer, errorResponses } from './openapi.ts'
import { createAccountLimit, createRenewalLimit, createSignInLimit } from './rate-limits.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { createSessionCookie } from './session-cookie.ts'

/** The routes of sign-up, sign-in, renewal and sign-out. */
export function authRoutes(app: HttpApp, deps: RouteDeps): void {
  const { config, platform, passwords, tokens, liveSockets, now } = deps
  const { users, sessions } = platform
  const cookie = createSessionCookie(config, now)
  const limitAddress = createSignInLimit(app, config)
  const limitAccount = createAccountLimit(app, config)
  const answer = createSessionAnswer(tokens, cookie)
  const tags = ['auth']

  app.post('/api/auth/register', {
    config: { rateLimit: false },
    preHandler: limitAddress,
    schema: {
      tags,
      summary: 'Create an account and sign in',
      body: registerBodySchema,
      response: { 201: sessionSchema, ...errorResponses('already_exists') },
    },
    handler: async (request, reply) => {
      const { email, password, name, session } = request.body
      if (users.byEmail(email) !== undefined) {
        throw new SyncError('already_exists', 'An account with this e-mail address exists', { at: 'email' })
      }
      const passwordHash = await passwords.hash(password)
      const user = { id: userIdSchema.parse(randomHexId()), email, name }
      users.add({ ...user, passwordHash }, now())
      const issued = sessions.start(user.id, now())
      return reply.code(201).send(answer(request, reply, { ...issued, user, kind: session }))
    },
  })

  app.post('/api/auth/login', {
    config: { rateLimit: false },
    preHandler: limitAddress,
    schema: {
      tags,
      summary: 'Sign in',
      body: loginBodySchema,
      response: { 200: sessionSchema, ...errorResponses('wrong_credentials') },
    },
    handler: async (request, reply) => {
      const { email, password, session } = request.body
      await limitAccount(request, email)
      const { account, isOutdated } = await accountWith(email, password)
      const user = { id: account.id, email: account.email, name: account.name }
      const issued = sessions.start(user.id, now())
      if (isOutdated) await renewHash(account, password)
      return answer(request, reply, { ...issued, user, kind: session })
    },
  })

  /** The account with this address and password. Throws `wrong_credentials` if there is none. */
  async function accountWith(
    email: string,
    password: string,
  ): Promise<{ readonly account: NewUser; readonly isOutdated: boolean }> {
    const account = users.byEmail(email)
    const match = await passwords.verify(account?.passwordHash, password)
    // Verifying takes a while: the password may have changed meanwhile, and the account may be gone.
    const isStill = users.byEmail(email)?.passwordHash === account?.passwordHash
    // Or another sign-in has renewed the hash, which this one would have done.
    if (!isStill && match?.isOutdated === true) return accountWith(email, password)
    if (match === undefined || account === undefined || !isStill) {
      throw new SyncError('wrong_credentials', 'E-mail and password do not match an account')
    }
    return { account, isOutdated: match.isOutdated }
  }

  /** Makes the hash that of the password's normal form, while there is time for it. */
  async function renewHash({ id, passwordHash }: NewUser, password: string): Promise<void> {
    const next = await passwords.hash(password).catch(() => undefined)
    if (next !== undefined) users.changePassword(id, passwordHash, next)
  }

  app.post('/api/auth/refresh', {
    config: {
      rateLimit: createRenewalLimit(app, config, (request) => {
        const { refreshToken } = refreshBodySchema.parse(request.body)
        const token = refreshToken ?? cookie.of(request)
        const sessionId = token === undefined ? undefined : sessions.idByToken(token, now())
        return sessionId === undefined ? undefined : sessions.userOf(sessionId, now())
      }),
    },
    schema: {
      tags,
      summary: 'Exchange the refresh token for a fresh pair',
      description:
        'A refresh token works once. The previous one works for 30 seconds more, in case an answer was lost; used ' +
        'later, it ends the session. A token in a cookie is taken only from pages of this server.',
      body: refreshBodySchema,
      response: { 200: sessionSchema, ...errorResponses('unauthenticated', 'forbidden') },
    },
    handler: async (request, reply) => {
      const fromBody = request.body.refreshToken
      const token = fromBody ?? cookie.of(request)
      const kind = fromBody === undefined ? 'cookie' : 'body'
      const refreshed = token === undefined ? undefined : sessions.refresh(token, now())
      if (refreshed !== undefined && 'userId' in refreshed) {
        const user = users.byId(refreshed.userId)
        if (user !== undefined) return answer(request, reply, { ...refreshed, user, kind })
      }
      if (refreshed !== undefined && 'ended' in refreshed) {
        request.log.warn(
          { sessionId: refreshed.ended },
          'an outdated refresh token was used, and its session ended',
        )
        liveSockets.sessionEnded(refreshed.ended)
      }
      if (kind === 'cookie') cookie.clear(request, reply)
      throw new SyncError('unauthenticated', 'The session has ended: sign in again')
    },
  })

  app.post('/api/auth/logout', {
    schema: {
      tags,
      summary: 'Sign out, here or everywhere',
      description:
        'Ends the session of the refresh token in the body or the cookie, or else of the access token. Signing ' +
        'out of a session that has ended is fine.',
      body: logoutBodySchema,
      response: { 204: z.undefined().describe('Signed out'), ...errorResponses('forbidden') },
    },
    handler: async (request, reply) => {
      const sessionId = sessionToEnd(request, request.body.refreshToken)
      const userId = sessionId === undefined ? undefined : sessions.userOf(sessionId, now())
      if (sessionId !== undefined && userId !== undefined) {
        const ended = request.body.everywhere ? sessions.endAll(userId) : [sessionId]
        sessions.end(sessionId)
        for (const id of ended) liveSockets.sessionEnded(id)
      }
      cookie.clear(request, reply)
      return reply.code(204).send()
    },
  })

  function sessionToEnd(request: FastifyRequest, fromBody: string | undefined): string | undefined {
    const refreshToken = fromBody ?? cookie.of(request)
    const byRefresh = refreshToken === undefined ? undefined : sessions.idByToken(refreshToken, now())
    if (byRefresh !== undefined) return byRefresh
    const accessToken = bearerTokenOf(request)
    if (accessToken === undefined) return undefined
    try {
      return tokens.verify(accessToken).sessionId
    } catch (error) {
      if (error instanceof SyncError) return undefined
      throw error
    }
  }

  app.get('/api/me', {
    preParsing: authenticateBy(tokens),
    schema: {
      tags,
      summary: 'Who is signed in',
      security: bearer,
      response: { 200: userSchema, ...errorResponses('unauthenticated') },
    },
    handler: async (request) => {
      const user = users.byId(callerOf(request).userId)
      if (user === undefined) throw new SyncError('unauthenticated', 'The account is gone')
      return user
    },
  })

  accountRoutes(app, deps, { limitAccount, answer, cookie })
}
