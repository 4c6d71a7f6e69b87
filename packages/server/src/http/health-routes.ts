import { SyncError } from '@t69/protocol'
import { z } from 'zod'

import { serverVersion } from '../ports/version.ts'
import { errorResponses } from './openapi.ts'
import type { HttpApp, RouteDeps } from './route.ts'

const okSchema = z.object({ status: z.literal('ok') })

const healthSchema = okSchema.extend({ version: z.string() })

/** How long an answer of `/ready` is reused, in ms. Anyone may ask at any rate, and checking waits for the disk. */
const checkIntervalMs = 1_000

export function healthRoutes(app: HttpApp, deps: RouteDeps): void {
  const { platform, checkCommits, lifecycle, monotonic } = deps
  let checked: { readonly at: number; readonly outcome: Promise<void> } | undefined

  async function check(): Promise<void> {
    // First what says why: of a full disk, SQLite's error says nothing to whoever asks.
    await checkCommits()
    platform.checkWritable()
  }

  /** Whoever asks while the check is under way waits for it. */
  function checkAtTimes(): Promise<void> {
    const at = monotonic()
    if (checked === undefined || at - checked.at >= checkIntervalMs) checked = { at, outcome: check() }
    return checked.outcome
  }

  app.get('/health', {
    config: { rateLimit: false },
    schema: {
      tags: ['operation'],
      summary: 'The process is running',
      response: { 200: healthSchema },
    },
    handler: async () => ({ status: 'ok' as const, version: serverVersion }),
  })

  app.get('/ready', {
    config: { rateLimit: false },
    schema: {
      tags: ['operation'],
      summary: 'The server takes requests: it can commit, and it is not shutting down',
      response: { 200: okSchema, ...errorResponses('storage_failed') },
    },
    handler: async () => {
      if (lifecycle.isClosing) throw new SyncError('unavailable', 'The server is shutting down')
      await checkAtTimes()
      return { status: 'ok' as const }
    },
  })
}
