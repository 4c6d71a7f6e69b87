import {
  accountStateSchema,
  askAccountBodySchema,
  changeUserBodySchema,
  loginBodySchema,
  meSchema,
  logoutBodySchema,
  randomHexId,
  refreshBodySchema,
  registerBodySchema,
  registrationSchema,
  sessionSchema,
  SyncError,
  type User,
  userIdSchema,
  userSchema,
} from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import { createDeviceTokens } from '../platform/device-tokens.ts'
import type { Passwords } from '../platform/passwords.ts'
import type { NewUser } from '../platform/users.ts'
import { accountRoutes } from './account-routes.ts'
import { addressRoutes } from './address-routes.ts'
import { createSessionAnswer } from './answer-session.ts'
import { authenticateBy, callerOf, knownCaller } from './authenticate.ts'
import type { ConfirmedCaller } from './confirm-caller.ts'
import { deviceOf } from './device-name.ts'
import { findInvite } from './find-invite.ts'
import { forgottenPasswordRoutes } from './forgotten-password-routes.ts'
import { createNoteDone } from './note-done.ts'
import { bearer, errorResponses } from './openapi.ts'
import type { PasskeyChecks } from './passkey-checks.ts'
import { passkeyRoutes } from './passkey-routes.ts'
import { passwordLinkRoutes } from './password-link-routes.ts'
import { providerRoutes } from './provider-routes.ts'
import type { ProviderVisits } from './provider-visits.ts'
import { createRenewalLimit, type SignInLimits } from './rate-limits.ts'
import { noteUser } from './request-log.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { createSessionCookie } from './session-cookie.ts'

/** The routes of sign-up, sign-in, renewal and sign-out. */
export function authRoutes(
  app: HttpApp,
  deps: RouteDeps,
  given: {
    readonly limits: SignInLimits
    readonly visits: ProviderVisits
    /** Undefined where there are no passkeys. */
    readonly checks: PasskeyChecks | undefined
    readonly confirmed: ConfirmedCaller
  },
): void {
  const { limits, visits, checks, confirmed } = given
  const { config, platform, passwords, passwordsOfKnown, tokens, liveSockets, now, monotonic } = deps
  const { users, sessions, adminPages, registration, returningAccounts, signingSecret } = platform
  const cookie = createSessionCookie(config, {
    monotonic,
    hasIssued: (token) => sessions.hasIssued(token),
    devices: createDeviceTokens(signingSecret),
    signingSecret,
  })
  const answer = createSessionAnswer(tokens, returningAccounts, cookie)
  const noteDone = createNoteDone(deps)
  const tags = ['auth']

  app.post('/api/auth/register', {
    config: { rateLimit: false },
    schema: {
      tags,
      summary: 'Create an account and sign in',
      description:
        'Where signing up takes an invite (`GET /api/auth/registration`), the token of a link to a space or to the server. ' +
        'An invite to a space is not used up, and has to be accepted afterwards. The first account of a server needs none. ' +
        'With the seal of an account that this server has lost, and with its address, the account gets its user id ' +
        'back, and is a member again wherever it was: this takes no invite. Any other seal is ignored, and so is one ' +
        'from before an account with this address was deleted.',
      body: registerBodySchema,
      response: {
        201: sessionSchema,
        ...errorResponses('already_exists', 'forbidden', 'not_found', 'invite_expired'),
      },
    },
    handler: async (request, reply) => {
      const { email, password, name, session: kind, invite, seal } = request.body
      const lostId = returningAccounts.idOf(email, seal)
      const ticket = { setting: config.registration, invite, isReturning: lostId !== undefined }
      const session = await limits.signUp(request, async () => {
        // First, so that only people with an invite can find out who has an account.
        const link = registration.check(ticket, now())
        if (link !== undefined) await findInvite(deps, link)
        if (users.byEmail(email) !== undefined) {
          throw new SyncError('already_exists', 'An account with this e-mail address exists', {
            reason: 'address_taken',
            at: 'email',
          })
        }
        const passwordHash = await passwords.hash(password)
        const user = { id: lostId ?? userIdSchema.parse(randomHexId()), email, name }
        registration.add({ ...user, passwordHash }, ticket, now())
        noteDone(request, user.id, 'account created', { userId: user.id })
        return answer(request, reply, { ...sessions.start(user.id, now(), deviceOf(request)), user, kind })
      })
      return reply.code(201).send(session)
    },
  })

  app.get('/api/auth/registration', {
    schema: {
      tags,
      summary: 'Who may sign up here, and what else the form of sign-in may offer',
      response: { 200: registrationSchema, ...errorResponses() },
    },
    handler: async () => ({
      mode: registration.mode(config.registration),
      hasAccounts: users.exist(),
      mailsLinks: deps.mailer !== undefined,
      ...(deps.provider !== undefined && { provider: { name: deps.provider.name } }),
      passkeys: checks !== undefined,
    }),
  })

  app.post('/api/auth/login', {
    config: { rateLimit: false },
    schema: {
      tags,
      summary: 'Sign in',
      body: loginBodySchema,
      response: { 200: sessionSchema, ...errorResponses('wrong_credentials') },
    },
    handler: async (request, reply) => {
      const { email, password, session: kind } = request.body
      const known = users.byEmail(email)
      const deviceId = known && cookie.deviceOf(request, known.id)
      const attempt = async () => {
        const checker = deviceId === undefined ? passwords : passwordsOfKnown
        const { account, isOutdated } = await accountWith(email, password, checker)
        const user = { id: account.id, email: account.email, name: account.name }
        const issued = sessions.start(user.id, now(), deviceOf(request))
        if (isOutdated) await renewHash(account, password)
        return answer(request, reply, { ...issued, user, kind })
      }
      if (deviceId === undefined) return limits.signIn(request, email, attempt)
      return limits.signInAgain(deviceId, attempt)
    },
  })

  /** The account with this address and password. Throws `wrong_credentials` if there is none. */
  async function accountWith(
    email: string,
    password: string,
    checker: Passwords,
  ): Promise<{ readonly account: NewUser; readonly isOutdated: boolean }> {
    const account = users.byEmail(email)
    const match = await checker.verify(account?.passwordHash, password)
    // Verifying takes a while: the password may have changed meanwhile, and the account may be gone.
    const isStill = users.byEmail(email)?.passwordHash === account?.passwordHash
    // Or another sign-in has renewed the hash, which this one would have done.
    if (!isStill && match?.isOutdated === true) return accountWith(email, password, checker)
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
      rateLimit: createRenewalLimit(config, monotonic, (request) => {
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
      const refreshed = token === undefined ? undefined : sessions.refresh(token, now(), deviceOf(request))
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
        const { owner: userId } = refreshed
        noteDone(request, userId, 'session ended by a reused token', { userId })
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
        noteUser(request, userId)
        const ended = request.body.everywhere ? sessions.endAll(userId) : [sessionId]
        sessions.end(sessionId)
        if (request.body.everywhere) noteDone(request, userId, 'signed out everywhere', { userId })
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
    return knownCaller(tokens, request)?.sessionId
  }

  app.get('/api/me', {
    preParsing: authenticateBy(tokens),
    schema: {
      tags,
      summary: 'Who is signed in',
      security: bearer,
      response: { 200: meSchema, ...errorResponses('unauthenticated') },
    },
    handler: async (request) => {
      const user = callingUser(request)
      return { ...user, role: adminPages.roleOf(user.id) ?? 'member' }
    },
  })

  app.patch('/api/me', {
    preParsing: authenticateBy(tokens),
    schema: {
      tags,
      summary: 'Change the name that others see',
      description:
        'Lists of members have it at once, and whoever is in a space with the caller once a device has renewed its ' +
        'access token. What was written under the earlier name keeps it.',
      security: bearer,
      body: changeUserBodySchema,
      response: { 200: userSchema, ...errorResponses('unauthenticated') },
    },
    handler: async (request) => {
      const { id } = callingUser(request)
      users.rename(id, request.body.name)
      noteDone(request, id, 'name changed', { userId: id })
      return callingUser(request)
    },
  })

  function callingUser(request: FastifyRequest): User {
    const user = users.byId(callerOf(request).userId)
    if (user === undefined) throw new SyncError('unauthenticated', 'The account is gone')
    return user
  }

  app.post('/api/accounts/:userId', {
    preParsing: authenticateBy(tokens),
    schema: {
      tags,
      summary: 'What became of an earlier account with the caller’s address',
      description:
        'A device asks about an account whose spaces it keeps: only one that the server has lost can be followed by ' +
        'another with the same address. One that the server does not know counts as deleted if an account with the ' +
        'address was deleted here, unless that was before its seal.',
      security: bearer,
      params: z.object({ userId: userIdSchema }),
      body: askAccountBodySchema,
      response: { 200: accountStateSchema, ...errorResponses('unauthenticated') },
    },
    handler: async (request) => {
      const asking = callingUser(request)
      return { state: returningAccounts.stateOf({ ...request.params, ...request.body }, asking) }
    },
  })

  accountRoutes(app, deps, { confirmed, answer, cookie, limits })
  addressRoutes(app, deps, { confirmed, limits })
  providerRoutes(app, deps, { answer, limits, visits, confirmed })
  passkeyRoutes(app, deps, { answer, limits, confirmed, checks })
  passwordLinkRoutes(app, deps, { answer })
  forgottenPasswordRoutes(app, deps, { limits })
}
