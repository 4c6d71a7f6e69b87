import { SyncError } from '@t69/protocol'

import type { Config } from '../config.ts'
import type { PrometheusMetrics } from '../metrics/prometheus.ts'
import type { Passwords } from '../platform/passwords.ts'
import type { Platform } from '../platform/platform.ts'
import type { SpaceDeletion } from '../platform/space-deletion.ts'
import type { AccessTokens } from '../platform/tokens.ts'
import type { Gateway } from '../socket/gateway.ts'
import type { UserLimits } from '../socket/user-limits.ts'
import type { Spaces } from '../spaces/spaces.ts'
import { authRoutes } from './auth-routes.ts'
import { healthRoutes } from './health-routes.ts'
import type { HttpApp } from './http-app.ts'
import { metricsRoutes } from './metrics-routes.ts'
import { sharingRoutes } from './sharing-routes.ts'
import { spaceRoutes } from './space-routes.ts'
import { serveStaticApp } from './static-app.ts'

/** What the routes call. The gateway is told of each change before the response is sent. */
export interface RouteDeps {
  readonly config: Config
  readonly platform: Platform
  readonly passwords: Passwords
  readonly tokens: AccessTokens
  readonly spaces: Pick<Spaces, 'readTree'>
  readonly userLimits: Pick<UserLimits, 'of'>
  readonly spaceDeletion: SpaceDeletion
  readonly gateway: Pick<Gateway, 'memberChanged' | 'sessionEnded'>
  /** Unix milliseconds. */
  readonly now: () => number
  readonly metrics: Pick<PrometheusMetrics, 'contentType' | 'exposition'>
  readonly lifecycle: { readonly isClosing: boolean }
}

export async function registerRoutes(app: HttpApp, deps: RouteDeps): Promise<void> {
  app.addHook('onRequest', async (request) => {
    const isAboutHealth = request.routeOptions.url === '/health' || request.routeOptions.url === '/ready'
    if (!deps.lifecycle.isClosing || isAboutHealth) return
    throw new SyncError('unavailable', 'The server is shutting down', { retryAfterMs: 1000 })
  })
  // What was written to a database that is not there any more did not happen.
  app.addHook('onSend', async (request, reply) => {
    if (reply.statusCode >= 400 || request.method === 'GET' || request.method === 'HEAD') return
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
  authRoutes(app, deps)
  spaceRoutes(app, deps)
  sharingRoutes(app, deps)
  await serveStaticApp(app, deps.config.staticDir)
}
