import { normalizeIP } from '@fastify/rate-limit'
import { SyncError, type UserId } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'

import { costs } from '../limits/budget.ts'
import { createTurnstile, type Turnstile } from '../limits/turnstile.ts'
import { callerOf, isAuthenticated } from './authenticate.ts'
import type { HttpApp, RouteDeps } from './route.ts'

/** Bytes of answers that may wait to be read, of one user or, for strangers, of one address. */
const maxUnreadBytes = 4 * 1024 * 1024

/** Requests of one user, or address, that are being answered at once. The others wait for them. */
const answeredAtOnce = 8

/** Wait before more is asked, in ms. */
const retryAfterMs = 1_000

/** Users and addresses whose requests are counted. */
const maxRemembered = 10_000

interface Asker {
  /** Undefined for a stranger. */
  readonly userId: UserId | undefined
  readonly turnstile: Turnstile
  /** Bytes that were answered and that the connections have not taken yet. */
  unreadBytes: number
}

/**
 * Bounds what waits for whoever does not read what they asked for, whatever route it comes by, and charges users for their
 * answers. A few requests of one user are answered at once, so that many of them do not get past the bound. A tree has a bound
 * of its own, and is charged for as it is read.
 */
export function boundAnswers(app: HttpApp, { userLimits }: Pick<RouteDeps, 'userLimits'>): void {
  const askers = new LRUCache<string, Asker>({ max: maxRemembered })
  const answering = new WeakMap<FastifyRequest, { readonly asker: Asker; readonly leave: () => void }>()

  function askerOf(request: FastifyRequest): Asker {
    const userId = isAuthenticated(request) ? callerOf(request).userId : undefined
    const key = userId ?? normalizeIP(request.ip)
    let asker = askers.get(key)
    if (asker === undefined) {
      askers.set(key, (asker = { userId, turnstile: createTurnstile(answeredAtOnce), unreadBytes: 0 }))
    }
    return asker
  }

  app.addHook('preHandler', async (request, reply) => {
    if (!isBounded(request)) return
    const asker = askerOf(request)
    const leave = await asker.turnstile.enter()
    answering.set(request, { asker, leave })
    if (reply.raw.destroyed) leave()
    else reply.raw.once('close', leave)
    if (asker.unreadBytes > maxUnreadBytes) {
      throw new SyncError('rate_limited', 'read what was answered first', { retryAfterMs })
    }
    if (asker.userId !== undefined) userLimits.of(asker.userId).checkOperations()
  })

  app.addHook('onSend', async (request, reply, payload) => {
    const answer = answering.get(request)
    if (answer === undefined) return
    const { asker, leave } = answer
    leave()
    if (typeof payload !== 'string' || reply.raw.destroyed) return
    const bytes = payload.length
    asker.unreadBytes += bytes
    reply.raw.once('close', () => void (asker.unreadBytes -= bytes))
    if (asker.userId !== undefined) {
      userLimits.of(asker.userId).spendOperations(costs.operations(0, bytes))
    }
  })
}

function isBounded({ method, routeOptions: { url = '' } }: FastifyRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  return url.startsWith('/api/') && !url.includes('/trees/')
}
