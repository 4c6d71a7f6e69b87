import { pageQuerySchema, sessionIdSchema, sessionListSchema, SyncError } from '@t69/protocol'
import { z } from 'zod'

import { authenticateBy, callerOf } from './authenticate.ts'
import { createNoteDone } from './note-done.ts'
import { bearer, errorResponses, pagesDescription } from './openapi.ts'
import { pageOf } from './pages.ts'
import type { HttpApp, RouteDeps } from './route.ts'

/** The routes by which somebody sees where they are signed in, and ends it there. Nobody sees the sessions of others. */
export function sessionRoutes(app: HttpApp, deps: RouteDeps): void {
  const { platform, tokens, liveSockets, now } = deps
  const { sessions, directory } = platform
  const preParsing = authenticateBy(tokens)
  const noteDone = createNoteDone(deps)
  const tags = ['auth']
  const security = bearer

  app.get('/api/sessions', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Where the caller is signed in',
      description: `The oldest session first. ${pagesDescription}`,
      querystring: pageQuerySchema,
      response: { 200: sessionListSchema, ...errorResponses('unauthenticated') },
    },
    handler: async (request) => {
      const caller = callerOf(request)
      const all = directory.sessionsOf(caller.userId, now()).map(({ id, device, createdAt, lastUsedAt }) => ({
        id: sessionIdSchema.parse(id),
        device,
        createdAt,
        lastUsedAt,
        isThis: id === caller.sessionId,
      }))
      const { entries, ...next } = pageOf(all, request.query, ({ createdAt: time, id }) => ({ time, id }))
      return { sessions: entries, ...next }
    },
  })

  app.delete('/api/sessions', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Sign out everywhere else',
      description: 'Ends every session of the caller but the one that asks, with their sockets.',
      response: { 204: z.undefined().describe('Signed out'), ...errorResponses('unauthenticated') },
    },
    handler: async (request, reply) => {
      const { userId, sessionId } = callerOf(request)
      for (const id of sessions.endOthers(userId, sessionId)) liveSockets.sessionEnded(id)
      noteDone(request, userId, 'signed out everywhere else', { userId })
      return reply.code(204).send()
    },
  })

  app.delete('/api/sessions/:sessionId', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Sign out one device',
      description: 'Ends a session of the caller, with its sockets. It may be the one that asks.',
      params: z.object({ sessionId: sessionIdSchema }),
      response: {
        204: z.undefined().describe('Signed out'),
        ...errorResponses('unauthenticated', 'not_found'),
      },
    },
    handler: async (request, reply) => {
      const { userId } = callerOf(request)
      const { sessionId } = request.params
      if (sessions.userOf(sessionId, now()) !== userId) throw new SyncError('not_found', 'No such session')
      sessions.end(sessionId)
      liveSockets.sessionEnded(sessionId)
      noteDone(request, userId, 'session ended', { userId })
      return reply.code(204).send()
    },
  })
}
