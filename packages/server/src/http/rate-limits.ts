import { SyncError } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import { bearerTokenOf } from './authenticate.ts'
import type { HttpConfig } from './http-config.ts'
import type { HttpApp } from './route.ts'

const minuteMs = 60_000
const quarterHourMs = 15 * minuteMs

function tooMany(retryAfterMs: number): SyncError {
  return new SyncError('rate_limited', 'Too many requests: try again in a while', { retryAfterMs })
}

/**
 * The limit of every route without one of its own. A signed-in user has one budget for all devices: thousands of users
 * behind one address must not use up each other's. Everybody else counts by address; an IPv6 network of 64 bits counts
 * as one address.
 */
export function rateLimitDefaults(app: HttpApp, config: HttpConfig) {
  const perUser = createBudget(app, config.rateLimits.requestsPerUser)
  return {
    max: config.rateLimits.requestsPerAddress,
    timeWindow: minuteMs,
    errorResponseBuilder: (_request: FastifyRequest, { ttl }: { ttl: number }) => tooMany(ttl),
    // The plugin has no other place that says which requests it should not count.
    allowList: async (request: FastifyRequest): Promise<boolean> => {
      const userId = signedUserOf(app, request)
      if (userId === undefined) return false
      await perUser(request, `user:${userId}`)
      return true
    },
  }
}

/**
 * The user of an access token, by its signature alone. An expired token counts too: this only chooses a budget, and an
 * old token uses up its own user's.
 */
function signedUserOf(app: HttpApp, request: FastifyRequest): string | undefined {
  const token = bearerTokenOf(request)
  if (token === undefined) return undefined
  try {
    return subjectSchema.parse(app.jwt.verify(token, { ignoreExpiration: true })).sub
  } catch {
    return undefined
  }
}

/** An explicit list for each other limit: they would inherit the default one, which lets signed-in users pass. */
const nobody: string[] = []

const subjectSchema = z.object({ sub: z.string() })

/** Counts requests by a key that the caller gives. Throws `rate_limited` beyond `max` in `timeWindow` (ms). */
function createBudget(app: HttpApp, max: number, timeWindow = minuteMs) {
  const keys = new WeakMap<FastifyRequest, string>()
  let count: ReturnType<HttpApp['createRateLimit']> | undefined
  return async (request: FastifyRequest, key: string): Promise<void> => {
    keys.set(request, key)
    // Created late: the plugin is not registered yet when this function is made.
    count ??= app.createRateLimit({
      max,
      timeWindow,
      keyGenerator: (it) => keys.get(it) ?? '',
      allowList: nobody,
    })
    const result = await count(request)
    if (!result.isAllowed && result.isExceeded) throw tooMany(result.ttl)
  }
}

/**
 * The limit of renewals, which carry no access token (for the route's `config.rateLimit`). A valid refresh token counts
 * against its user, over all devices: when a server comes back, everybody at an address may renew at once, and more
 * sign-ins must not give a larger budget. Guesses count by address.
 */
export function createRenewalLimit(
  app: HttpApp,
  config: HttpConfig,
  userOf: (request: FastifyRequest) => string | undefined,
) {
  const perUser = createBudget(app, config.rateLimits.requestsPerUser)
  return {
    // The token may be in the body.
    hook: 'preHandler' as const,
    allowList: async (request: FastifyRequest): Promise<boolean> => {
      const userId = userOf(request)
      if (userId === undefined) return false
      await perUser(request, `renewals:${userId}`)
      return true
    },
  }
}

/**
 * The limit of the routes that hash a password. They share one hook with one budget, or sign-up would be a way around
 * sign-in's. Each turns the default limit off (`config: { rateLimit: false }`).
 */
export function createSignInLimit(app: HttpApp, config: HttpConfig) {
  return app.rateLimit({ max: config.rateLimits.signInPerAddress, timeWindow: minuteMs, allowList: nobody })
}

/**
 * Limits guesses at one account from many addresses. Throws `rate_limited`. Generous and short, since it is also a way
 * to keep a user out of an account. Signed-in devices are not affected.
 */
export function createAccountLimit(app: HttpApp, config: HttpConfig) {
  const count = createBudget(app, config.rateLimits.signInPerAccount, quarterHourMs)
  return (request: FastifyRequest, email: string): Promise<void> => count(request, `account:${email}`)
}
