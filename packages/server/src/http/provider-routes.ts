import {
  proofSchema,
  providerSignInBodySchema,
  providerVisitSchema,
  sessionSchema,
  SyncError,
  visitProviderBodySchema,
  type VisitProvider,
  waysToSignInSchema,
} from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'

import { ProviderError, type SignInProvider } from '../ports/sign-in-provider.ts'
import type { AccountRoutesDeps } from './account-routes.ts'
import { authenticateBy, callerOf, knownCaller } from './authenticate.ts'
import { deviceOf } from './device-name.ts'
import { findInvite } from './find-invite.ts'
import { createNoteDone } from './note-done.ts'
import { bearer, errorResponses } from './openapi.ts'
import type { ProviderVisits, VisitPurpose } from './provider-visits.ts'
import type { SignInLimits } from './rate-limits.ts'
import { relyingPartyOf } from './relying-party.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { createTellOwner } from './tell-owner.ts'

/**
 * The routes of signing in through a provider. The page asks for an address and goes there; the provider sends the browser back to
 * the callback, which notes who they are in a cookie and sends it on to the app; the app then asks to be signed in.
 */
export function providerRoutes(
  app: HttpApp,
  deps: RouteDeps,
  given: Pick<AccountRoutesDeps, 'answer' | 'confirmed'> & {
    readonly limits: Pick<SignInLimits, 'change' | 'signUp'>
    readonly visits: ProviderVisits
  },
): void {
  const { config, platform, tokens, now } = deps
  const { users, sessions, providerSignIn, registration, waysToSignIn } = platform
  const { answer, limits, visits, confirmed } = given
  const noteDone = createNoteDone(deps)
  const tellOwner = createTellOwner(deps)
  const tags = ['auth']
  const preParsing = authenticateBy(tokens)
  const offers = { issuer: deps.provider?.issuer, rpId: relyingPartyOf(config.publicUrl)?.rpId }
  const redirectUri = `${config.publicUrl ?? ''}/api/auth/provider/callback`

  function provider(): SignInProvider {
    if (deps.provider === undefined)
      throw new SyncError('not_found', 'This server knows no other place to sign in', {
        reason: 'not_offered',
      })
    return deps.provider
  }

  function unavailable(request: FastifyRequest, error: unknown): SyncError {
    if (!(error instanceof ProviderError)) throw error
    request.log.warn({ reason: error.message }, 'the provider cannot be used')
    return new SyncError(
      'unavailable',
      `${provider().name} cannot be reached at the moment, or is not set up here`,
      { reason: 'provider_unreachable' },
    )
  }

  app.post('/api/auth/provider', {
    config: { rateLimit: false },
    schema: {
      tags,
      summary: 'Go to the provider, to sign in there',
      description:
        'Where there is one (`GET /api/auth/registration`). All but signing in takes an access token, and connecting an ' +
        'account what shows that its owner asks. The browser comes back to the app, which goes on with `sign-in`, `connect`, ' +
        '`change-password` or `delete-account`.',
      body: visitProviderBodySchema,
      response: {
        200: providerVisitSchema,
        ...errorResponses('unauthenticated', 'wrong_credentials', 'not_found', 'forbidden'),
      },
    },
    handler: async (request, reply) => {
      const there = provider()
      const why = await purposeOf(request, reply, request.body)
      return limits.signUp(request, async () => {
        try {
          const { url, kept } = await there.begin(redirectUri, why.purpose === 'confirm')
          visits.leave(reply, { why, kept, startedAt: now() })
          return { url }
        } catch (error) {
          throw unavailable(request, error)
        }
      })
    },
  })

  async function purposeOf(
    request: FastifyRequest,
    reply: FastifyReply,
    body: VisitProvider,
  ): Promise<VisitPurpose> {
    if (body.purpose === 'sign-in') return body
    const caller = knownCaller(tokens, request)
    if (caller === undefined) throw new SyncError('unauthenticated', 'An access token is needed: sign in')
    const { userId, sessionId } = caller
    if (body.purpose === 'confirm') return { purpose: 'confirm', userId, sessionId }
    const { purpose, ...proof } = body
    return confirmed(request, reply, proof, () => ({ purpose, userId, sessionId }))
  }

  app.get('/api/auth/provider/callback', {
    schema: {
      tags,
      summary: 'Where the provider sends the browser back to',
      response: { 303: z.undefined().describe('To the app'), ...errorResponses('not_found') },
    },
    handler: async (request, reply) => {
      const there = provider()
      const visit = visits.away(request)
      const query = request.url.split('?')[1] ?? ''
      let end: 'returned' | 'declined' | 'failed' = 'failed'
      if (visit === undefined) request.log.warn('somebody comes back from the provider who did not go there')
      else {
        try {
          const person = await there.finish(`${redirectUri}?${query}`, visit.kept)
          visits.comeBack(reply, { why: visit.why, person, startedAt: visit.startedAt })
          end = 'returned'
        } catch (error) {
          if (!(error instanceof ProviderError)) throw error
          // A forged answer ends no visit: the true one may still come.
          if (error.isDeclined) end = 'declined'
          else request.log.warn({ reason: error.message }, 'what the provider answers does not hold')
        }
      }
      return reply
        .code(303)
        .header('location', `${config.publicUrl ?? ''}/#provider=${end}`)
        .send()
    },
  })

  app.post('/api/auth/provider/sign-in', {
    config: { rateLimit: false },
    schema: {
      tags,
      summary: 'Sign in as who came back from the provider',
      description:
        'Enters the account that is connected with them, or the one with their address if that was proven to be theirs, or ' +
        'a new one, where they may sign up.',
      body: providerSignInBodySchema,
      response: {
        200: sessionSchema,
        ...errorResponses('already_exists', 'forbidden', 'not_found', 'invite_expired'),
      },
    },
    handler: async (request, reply) => {
      provider()
      const { session: kind, seals } = request.body
      return limits.signUp(request, async () => {
        const { why, person } = visits.take(request, reply, { purpose: 'sign-in' })
        const invite = why.purpose === 'sign-in' ? why.invite : undefined
        const ticket = { setting: config.registration, invite, seals }
        if (invite !== undefined && providerSignIn.isNew(person)) await askInvite(invite)
        const { user, became } = providerSignIn.enter(person, ticket, now())
        if (became === 'created') noteDone(request, user.id, 'account created', { userId: user.id })
        if (became !== 'entered')
          noteDone(request, user.id, 'connected with the provider', { userId: user.id })
        if (became === 'connected') tellOwner(request, 'providerConnected', user)
        return answer(request, reply, { ...sessions.start(user.id, now(), deviceOf(request)), user, kind })
      })
    },
  })

  /** An invite to a space counts as its log has it. Throws like `Registration.check`. */
  async function askInvite(invite: string): Promise<void> {
    const ticket = { setting: config.registration, invite, isReturning: false }
    const link = registration.check(ticket, now())
    if (link !== undefined) await findInvite(deps, link)
  }

  app.post('/api/auth/provider/connect', {
    preParsing,
    schema: {
      tags,
      security: bearer,
      summary: 'Connect the account with who came back from the provider',
      response: {
        204: z.undefined().describe('Connected'),
        ...errorResponses('unauthenticated', 'already_exists', 'forbidden', 'not_found'),
      },
    },
    handler: async (request, reply) => {
      provider()
      const { userId, sessionId } = callerOf(request)
      const user = users.byId(userId)
      if (user === undefined) throw new SyncError('unauthenticated', 'The account is gone')
      return limits.change(request, user.email, async () => {
        const { person } = visits.take(request, reply, { purpose: 'connect', userId, sessionId })
        providerSignIn.connect(person, user, now())
        noteDone(request, userId, 'connected with the provider', { userId })
        tellOwner(request, 'providerConnected', user)
        return reply.code(204).send()
      })
    },
  })

  app.post('/api/auth/provider/disconnect', {
    preParsing,
    schema: {
      tags,
      security: bearer,
      summary: 'End what connects the account with the provider',
      description:
        'Takes what shows that it is the account’s owner who asks. The address connects them again only from within the account. ' +
        '`forbidden` for the last way to sign in.',
      body: proofSchema,
      response: {
        204: z.undefined().describe('Ended'),
        ...errorResponses('unauthenticated', 'wrong_credentials', 'forbidden', 'not_found'),
      },
    },
    handler: async (request, reply) => {
      const { issuer } = provider()
      await confirmed(request, reply, request.body, () => {
        const { userId } = callerOf(request)
        waysToSignIn.disconnect(userId, issuer, offers)
        noteDone(request, userId, 'disconnected from the provider', { userId })
      })
      return reply.code(204).send()
    },
  })

  app.get('/api/me/ways-to-sign-in', {
    preParsing,
    schema: {
      tags,
      security: bearer,
      summary: 'How the caller may sign in',
      response: { 200: waysToSignInSchema, ...errorResponses('unauthenticated') },
    },
    handler: async (request) => {
      const ways = waysToSignIn.of(callerOf(request).userId, offers)
      if (ways === undefined) throw new SyncError('unauthenticated', 'The account is gone')
      const { hasPassword, isConnected, passkeys } = ways
      return {
        hasPassword,
        canChangeAddress: deps.mailer !== undefined,
        ...(deps.provider !== undefined && { provider: { name: deps.provider.name, isConnected } }),
        ...(offers.rpId !== undefined && { passkeys }),
      }
    },
  })
}
