import { SyncError } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'

import type { ListsKept } from '../spaces/kept-lists.ts'
import { adminRoutes } from './admin-routes.ts'
import { askLogs } from './ask-logs.ts'
import { authRoutes } from './auth-routes.ts'
import { basePathOf } from './base-path.ts'
import { boundAnswers } from './bound-answers.ts'
import { createConfirmedCaller } from './confirm-caller.ts'
import { healthRoutes } from './health-routes.ts'
import { metricsRoutes } from './metrics-routes.ts'
import { createPasskeyChecks } from './passkey-checks.ts'
import { createProviderVisits } from './provider-visits.ts'
import { createSignInLimits } from './rate-limits.ts'
import { relyingPartyOf } from './relying-party.ts'
import type { HttpApp, OwnRoutes, RouteDeps } from './route.ts'
import { sessionRoutes } from './session-routes.ts'
import { sharingRoutes } from './sharing-routes.ts'
import { spaceRoutes } from './space-routes.ts'
import { serveStaticApp } from './static-app.ts'

/** Adds every route, the operator's own among them, and the app. */
export async function registerRoutes(
  app: HttpApp,
  deps: RouteDeps,
  ownRoutes: OwnRoutes = () => {},
): Promise<void> {
  app.addHook('onRequest', async (request) => {
    const isAboutHealth = request.routeOptions.url === '/health' || request.routeOptions.url === '/ready'
    if (!deps.lifecycle.isClosing || isAboutHealth) return
    throw new SyncError('unavailable', 'The server is shutting down', { retryAfterMs: 1000 })
  })
  const listsKept = new WeakMap<FastifyRequest, ListsKept>()
  app.addHook('preHandler', askLogs(deps.access))
  app.addHook('preHandler', async (request) => void listsKept.set(request, deps.keptLists.begin()))
  boundAnswers(app, deps)
  // A change that was written to a displaced database must not be confirmed, nor one of members that a log lacks.
  app.addHook('onSend', async (request, reply) => {
    if (reply.statusCode >= 400 || request.method === 'GET' || request.method === 'HEAD') return
    await listsKept.get(request)?.()
    try {
      deps.platform.checkPlace()
    } catch (error) {
      request.log.error({ err: error }, 'the platform database was displaced')
      void reply.removeHeader('set-cookie')
      throw new SyncError('unavailable', 'The server has lost its database', { retryAfterMs: 1000 })
    }
  })
  healthRoutes(app, deps)
  metricsRoutes(app, deps)
  const { config, platform, now } = deps
  const limits = createSignInLimits(config, deps.monotonic)
  const visits = createProviderVisits(config, { signingSecret: platform.signingSecret, now })
  const relyingParty = relyingPartyOf(config.publicUrl)
  const { passkeys } = platform
  const checks = relyingParty && createPasskeyChecks({ passkeys, relyingParty, now })
  const confirmed = createConfirmedCaller(deps, { limits, visits, checks })
  authRoutes(app, deps, { limits, visits, checks, confirmed })
  adminRoutes(app, deps, confirmed)
  sessionRoutes(app, deps)
  spaceRoutes(app, deps)
  sharingRoutes(app, deps)
  // In a scope of their own: what they add besides (hooks, parsers, an error handler) does not change ours.
  await app.register(async (scope) => ownRoutes(scope))
  const { staticDir, publicUrl } = config
  await serveStaticApp(app, { staticDir, basePath: basePathOf(publicUrl) })
}
