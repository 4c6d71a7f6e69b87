import { createHash, timingSafeEqual } from 'node:crypto'

import { SyncError } from '@t69/protocol'

import { bearerTokenOf } from './authenticate.ts'
import type { HttpApp, RouteDeps } from './route.ts'

/** The route of Prometheus metrics, for anyone with the operator's token. It exists only if one is configured. */
export function metricsRoutes(app: HttpApp, { config, metrics }: RouteDeps): void {
  const { metricsToken } = config
  if (metricsToken === undefined) return
  app.get('/metrics', {
    schema: {
      tags: ['operation'],
      summary: 'Figures in the text format of Prometheus, with METRICS_TOKEN as the bearer token',
    },
    handler: async (request, reply) => {
      if (!isSame(bearerTokenOf(request) ?? '', metricsToken)) {
        throw new SyncError('unauthenticated', 'The token of METRICS_TOKEN is needed')
      }
      return reply.type(metrics.contentType).send(await metrics.exposition())
    },
  })
}

/** Compares in constant time. */
function isSame(a: string, b: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(a), hash(b))
}
