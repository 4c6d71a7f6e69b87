import { SyncError } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'

import type { Config } from '../config.ts'
import type { HttpApp } from './http-app.ts'

const minuteMs = 60_000
const quarterMs = 15 * minuteMs

function tooMany(retryAfterMs: number): SyncError {
  return new SyncError('rate_limited', 'Too many requests: try again in a while', { retryAfterMs })
}

/** For every route that has no limit of its own. By address; an IPv6 network of 64 bits counts as one. */
export function rateLimitDefaults(config: Config) {
  return {
    max: config.rateLimits.requestsPerAddress,
    timeWindow: minuteMs,
    errorResponseBuilder: (_request: FastifyRequest, { ttl }: { ttl: number }) => tooMany(ttl),
  }
}

/**
 * For the routes that hash a password: one hook with one budget for all of them, lest sign-up be a way
 * around sign-in's. Such a route turns the limit for every route off (`config: { rateLimit: false }`).
 */
export function createSignInLimit(app: HttpApp, config: Config) {
  return app.rateLimit({ max: config.rateLimits.signInPerAddress, timeWindow: minuteMs })
}

/**
 * Bounds guesses at one account from many addresses. Throws `rate_limited`. Generous and short, since it
 * is also a way to keep somebody out of their account; who is signed in is not affected.
 */
export function createAccountLimit(app: HttpApp, config: Config) {
  const emails = new WeakMap<FastifyRequest, string>()
  const count = app.createRateLimit({
    max: config.rateLimits.signInPerAccount,
    timeWindow: quarterMs,
    keyGenerator: (request) => `account:${emails.get(request) ?? ''}`,
  })
  return async (request: FastifyRequest, email: string): Promise<void> => {
    emails.set(request, email)
    const result = await count(request)
    if (!result.isAllowed && result.isExceeded) throw tooMany(result.ttl)
  }
}
