import { SyncError } from '@t69/protocol'
import { z } from 'zod'

import { errorResponses } from './openapi.ts'
import type { HttpApp, RouteDeps } from './route.ts'

const okSchema = z.object({ status: z.literal('ok') })

/** How long an answer of `/ready` is reused, in ms. Anyone may ask at any rate, and checking waits for the disk. */
const checkIntervalMs = 1_000

export function healthRoutes(app: HttpApp, { platform, lifecycle, now }: RouteDeps): void {
  let checked: { readonly at: number; readonly failure?: unknown } | undefined

  function checkWritable(): void {
    const at = now()
    if (checked === undefined || Math.abs(at - checked.at) >= checkIntervalMs) {
      try {
        platform.checkWritable()
        checked = { at }
      } catch (failure) {
        checked = { at, failure }
      }
    }
    if (checked.failure !== undefined) throw checked.failure
  }

  app.get('/health', {
    config: { rateLimit: false },
    schema: {
      tags: ['operation'],
      summary: 'The process is running',
      response: { 200: okSchema },
    },
    handler: async () => ({ status: 'ok' as const }),
  })

  app.get('/ready', {
    config: { rateLimit: false },
    schema: {
      tags: ['operation'],
      summary: 'The server takes requests: its database can be written, and it is not shutting down',
      response: { 200: okSchema, ...errorResponses('storage_failed') },
    },
    handler: async () => {
      if (lifecycle.isClosing) throw new SyncError('unavailable', 'The server is shutting down')
      checkWritable()
      return { status: 'ok' as const }
    },
  })
}
