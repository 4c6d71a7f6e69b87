import type { IncomingMessage, ServerResponse } from 'node:http'

import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'

import type { Config } from '../config.ts'
import type { UserLimits } from '../limits/user-limits.ts'
import type { PrometheusMetrics } from '../metrics/prometheus.ts'
import type { Passwords } from '../platform/passwords.ts'
import type { Platform } from '../platform/platform.ts'
import type { SpaceDeletion } from '../platform/space-deletion.ts'
import type { AccessTokens } from '../platform/tokens.ts'
import type { Gateway } from '../socket/gateway.ts'
import type { Spaces } from '../spaces/spaces.ts'
import type { ListedRoutes } from './api-routes.ts'

/** What routes are added to: Fastify, with zod for what comes and goes. It takes only the routes of `apiRoutes`. */
export type HttpApp = ListedRoutes<
  FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>
>

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
