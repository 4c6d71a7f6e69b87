import { SyncError } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import { bearerTokenOf } from './authenticate.ts'
import type { HttpConfig } from './http-config.ts'
import type { HttpApp } from './route.ts'

const minuteMs = 60_000
const quarterMs = 15 * minuteMs

function tooMany(retryAfterMs: number): SyncError {
  return new SyncError('rate_limited', 'Too many requests: try again in a while', { retryAfterMs })
}

/**
 * For every route that has no limit of its own. Who is signed in has a budget of their own, on all their
 * devices together: an office of thousands behind one address must not use up each other's. Everybody else
 * counts by address; an IPv6 network of 64 bits counts as one.
 */
export function rateLimitDefaults(app: HttpApp, config: HttpConfig) {
  const perUser = createBudget(app, config.rateLimits.requestsPerUser)
  return {
    max: config.rateLimits.requestsPerAddress,
    timeWindow: minuteMs,
    errorResponseBuilder: (_request: FastifyRequest, { ttl }: { ttl: number }) => tooMany(ttl),
    // The only place where the plugin asks what it should not count.
    allowList: async (request: FastifyRequest): Promise<boolean> => {
      const userId = signedUserOf(app, request)
      if (userId === undefined) return false
      await perUser(request, `user:${userId}`)
      return true
    },
  }
}

/**
 * Whose token it is, by its signature alone. Whether it still opens anything is for others to say: this only
 * chooses a budget, and whoever shows an old token of theirs uses up their own.
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

/** The plugin hands the list for every route down to each other limit, which would let whoever is signed in pass. */
const nobody: string[] = []

const subjectSchema = z.object({ sub: z.string() })

/** Counts requests by a key that the caller knows. Throws `rate_limited` beyond `max` a minute. */
function createBudget(app: HttpApp, max: number, timeWindow = minuteMs) {
  const keys = new WeakMap<FastifyRequest, string>()
  let count: ReturnType<HttpApp['createRateLimit']> | undefined
  return async (request: FastifyRequest, key: string): Promise<void> => {
    keys.set(request, key)
    // Not before the plugin is there.
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
 * For renewals, which show no access token (as the route's `config.rateLimit`). A good refresh token has a
 * budget of its user, on all of their devices together: when a server comes back, everybody at an address may
 * renew at once, and to sign in more often must not be a way to more of it. Guesses count by address.
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
 * For the routes that hash a password: one hook with one budget for all of them, lest sign-up be a way
 * around sign-in's. Such a route turns the limit for every route off (`config: { rateLimit: false }`).
 */
export function createSignInLimit(app: HttpApp, config: HttpConfig) {
  return app.rateLimit({ max: config.rateLimits.signInPerAddress, timeWindow: minuteMs, allowList: nobody })
}

/**
 * Bounds guesses at one account from many addresses. Throws `rate_limited`. Generous and short, since it
 * is also a way to keep somebody out of their account; who is signed in is not affected.
 */
export function createAccountLimit(app: HttpApp, config: HttpConfig) {
  const count = createBudget(app, config.rateLimits.signInPerAccount, quarterMs)
  return (request: FastifyRequest, email: string): Promise<void> => count(request, `account:${email}`)
}
