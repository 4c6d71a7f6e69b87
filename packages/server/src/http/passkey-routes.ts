import {
  addPasskeyBodySchema,
  passkeyChallengeBodySchema,
  passkeyCreationSchema,
  passkeyListSchema,
  passkeyRequestSchema,
  passkeySchema,
  passkeySignInBodySchema,
  proofSchema,
  removePasskeyBodySchema,
  sessionSchema,
  SyncError,
} from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import type { AccountRoutesDeps } from './account-routes.ts'
import { authenticateBy, callerOf, knownCaller } from './authenticate.ts'
import { deviceOf } from './device-name.ts'
import { createNoteDone } from './note-done.ts'
import { bearer, errorResponses } from './openapi.ts'
import type { PasskeyChecks } from './passkey-checks.ts'
import type { SignInLimits } from './rate-limits.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { createTellOwner } from './tell-owner.ts'

/** The routes of signing in with a passkey, and of the passkeys of an account. */
export function passkeyRoutes(
  app: HttpApp,
  deps: RouteDeps,
  given: Pick<AccountRoutesDeps, 'answer' | 'confirmed'> & {
    readonly limits: Pick<SignInLimits, 'change' | 'signUp'>
    readonly checks: PasskeyChecks | undefined
  },
): void {
  const { platform, tokens, now } = deps
  const { users, sessions, passkeys, waysToSignIn } = platform
  const { answer, confirmed, limits } = given
  const preParsing = authenticateBy(tokens)
  const noteDone = createNoteDone(deps)
  const tellOwner = createTellOwner(deps)
  const tags = ['auth']
  const security = bearer

  function checks(): PasskeyChecks {
    if (given.checks !== undefined) return given.checks
    throw new SyncError('not_found', 'This server knows no passkeys', { reason: 'not_offered' })
  }

  function callingUser(request: FastifyRequest) {
    const { userId, sessionId } = callerOf(request)
    const user = users.byId(userId)
    if (user === undefined) throw new SyncError('unauthenticated', 'The account is gone')
    return { user, adding: { purpose: 'add', userId, sessionId } } as const
  }

  app.post('/api/auth/passkeys/challenge', {
    schema: {
      tags,
      summary: 'What to ask the browser for, to sign in with a passkey or to confirm something with one',
      description:
        'Where there are passkeys (`GET /api/auth/registration`). For `navigator.credentials.get`, in the JSON of WebAuthn. ' +
        'The answer counts once, within five minutes. Confirming takes an access token, and is for its session alone.',
      body: passkeyChallengeBodySchema,
      response: { 200: passkeyRequestSchema, ...errorResponses('unauthenticated', 'not_found') },
    },
    handler: async (request) => {
      const { purpose } = request.body
      if (purpose === 'sign-in') return checks().request({ purpose })
      const caller = knownCaller(tokens, request)
      if (caller === undefined) throw new SyncError('unauthenticated', 'An access token is needed: sign in')
      const { userId, sessionId } = caller
      return checks().request({ purpose, userId, sessionId })
    },
  })

  app.post('/api/auth/passkeys/sign-in', {
    config: { rateLimit: false },
    schema: {
      tags,
      summary: 'Sign in with a passkey',
      description: 'The passkey says whose it is.',
      body: passkeySignInBodySchema,
      response: { 200: sessionSchema, ...errorResponses('wrong_credentials', 'forbidden', 'not_found') },
    },
    handler: (request, reply) =>
      limits.signUp(request, async () => {
        const { passkey, session: kind } = request.body
        const { userId } = await checks().owner({ purpose: 'sign-in' }, passkey, request.log)
        const user = users.byId(userId)
        if (user === undefined) throw new SyncError('wrong_credentials', 'The account is gone')
        return answer(request, reply, { ...sessions.start(userId, now(), deviceOf(request)), user, kind })
      }),
  })

  app.get('/api/auth/passkeys', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'The passkeys of the caller',
      response: { 200: passkeyListSchema, ...errorResponses('unauthenticated') },
    },
    handler: async (request) => ({ passkeys: passkeys.ofUser(callerOf(request).userId) }),
  })

  app.post('/api/auth/passkeys/creation', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'What to ask the browser for, to make a passkey',
      description:
        'For `navigator.credentials.create`, in the JSON of WebAuthn. Takes what shows that it is the account’s owner who asks. ' +
        'What comes of it counts once, within five minutes, for the session that asked.',
      body: proofSchema,
      response: {
        200: passkeyCreationSchema,
        ...errorResponses('unauthenticated', 'wrong_credentials', 'forbidden', 'not_found'),
      },
    },
    handler: (request, reply) => {
      const passkeyChecks = checks()
      return confirmed(request, reply, request.body, () => {
        const { user, adding } = callingUser(request)
        return passkeyChecks.creation(adding, user)
      })
    },
  })

  app.post('/api/auth/passkeys', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Add the passkey that was made',
      body: addPasskeyBodySchema,
      response: {
        201: passkeySchema,
        ...errorResponses('unauthenticated', 'wrong_credentials', 'forbidden', 'already_exists', 'not_found'),
      },
    },
    handler: async (request, reply) => {
      const passkeyChecks = checks()
      const { name, passkey } = request.body
      const asking = callingUser(request)
      return limits.change(request, asking.user.email, async () => {
        const key = await passkeyChecks.made(asking.adding, passkey, request.log)
        // Checking took a while: the session may have ended.
        const { user } = callingUser(request)
        const { id: userId } = user
        const createdAt = now()
        passkeys.add(userId, { ...key, name, rpId: passkeyChecks.rpId }, createdAt)
        noteDone(request, userId, 'passkey added', { userId })
        tellOwner(request, 'passkeyAdded', user)
        return reply.code(201).send({ id: key.id, name, createdAt, lastUsedAt: null })
      })
    },
  })

  app.post('/api/auth/passkeys/remove', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Remove a passkey',
      description:
        'Takes what shows that it is the account’s owner who asks. `forbidden` for the last way to sign in.',
      body: removePasskeyBodySchema,
      response: {
        204: z.undefined().describe('Removed'),
        ...errorResponses('unauthenticated', 'wrong_credentials', 'forbidden', 'not_found'),
      },
    },
    handler: async (request, reply) => {
      const { id, ...proof } = request.body
      await confirmed(request, reply, proof, () => {
        const { userId } = callerOf(request)
        waysToSignIn.removePasskey(userId, id, { issuer: deps.provider?.issuer, rpId: given.checks?.rpId })
        noteDone(request, userId, 'passkey removed', { userId })
      })
      return reply.code(204).send()
    },
  })
}
