import { SyncError, type SocketData } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'

import type { Tokens } from '../ports/tokens.ts'

const callers = new WeakMap<FastifyRequest, () => SocketData>()

/**
 * A `preParsing` hook: whoever has no good access token learns nothing else, not even that the body is wrong.
 * Not `onRequest`, where it would come before the rate limit, and guesses at tokens would be free.
 */
export function authenticateBy(tokens: Tokens) {
  return async (request: FastifyRequest): Promise<void> => {
    const token = bearerTokenOf(request)
    if (token === undefined) throw new SyncError('unauthenticated', 'An access token is needed: sign in')
    tokens.verify(token)
    callers.set(request, () => tokens.verify(token))
  }
}

export function bearerTokenOf(request: FastifyRequest): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1]
}

/**
 * Who calls, on a route with `authenticateBy`. Asked anew each time: a body may take its time to arrive, and the
 * session may have ended meanwhile. A handler that awaits asks again before it changes anything. Throws
 * `unauthenticated`.
 */
export function callerOf(request: FastifyRequest): SocketData {
  const caller = callers.get(request)
  if (caller === undefined) throw new Error(`${request.routeOptions.url} does not authenticate`)
  return caller()
}
