import { SyncError, type SocketData } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'

import type { Tokens } from '../ports/tokens.ts'
import { noteUser } from './request-log.ts'

const callers = new WeakMap<FastifyRequest, () => SocketData>()

/**
 * A `preParsing` hook that checks the access token. Without a valid one, a caller learns nothing else, not even that
 * the body is wrong. An `onRequest` hook would run before the rate limit, and guessing tokens would be free.
 */
export function authenticateBy(tokens: Tokens) {
  return async (request: FastifyRequest): Promise<void> => {
    const token = bearerTokenOf(request)
    if (token === undefined) throw new SyncError('unauthenticated', 'An access token is needed: sign in')
    noteUser(request, tokens.verify(token).userId)
    callers.set(request, () => tokens.verify(token))
  }
}

export function bearerTokenOf(request: FastifyRequest): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1]
}

/** Whether the route is one with `authenticateBy`. */
export function isAuthenticated(request: FastifyRequest): boolean {
  return callers.has(request)
}

/** The caller, on a route that answers everybody; undefined without a valid access token. */
export function knownCaller(tokens: Tokens, request: FastifyRequest): SocketData | undefined {
  const token = bearerTokenOf(request)
  if (token === undefined) return undefined
  try {
    return tokens.verify(token)
  } catch (error) {
    if (error instanceof SyncError) return undefined
    throw error
  }
}

/**
 * The caller, on a route with `authenticateBy`. Verifies the token at each call, since the session may end while the
 * body arrives. A handler that awaits calls it again before it changes anything. Throws `unauthenticated`.
 */
export function callerOf(request: FastifyRequest): SocketData {
  const caller = callers.get(request)
  if (caller === undefined) throw new Error(`${request.routeOptions.url} does not authenticate`)
  return caller()
}
