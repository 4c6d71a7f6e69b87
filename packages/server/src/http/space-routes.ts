import {
  createSpaceBodySchema,
  renameSpaceBodySchema,
  spaceIdSchema,
  spaceListSchema,
  spaceSchema,
  SyncError,
  treeIdSchema,
  treeSchema,
  type SpaceId,
  type SpaceSummary,
  type UserId,
} from '@t69/protocol'
import { z } from 'zod'

import { authenticateBy, callerOf } from './authenticate.ts'
import { bearer, errorResponses } from './openapi.ts'
import { requireRight } from './require-right.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { createUnreadAnswers } from './unread-answers.ts'

/** Wait after a full quota, in ms. The client repeats by itself, and the quota stays full until a space is deleted. */
const quotaRetryMs = 60_000

/** The schema describes the response; the handler has its JSON text already. */
const treeAsText: z.ZodType = treeSchema

const spaceParams = z.object({ spaceId: spaceIdSchema })

/** The routes of spaces. Each states the right that it takes. */
export function spaceRoutes(app: HttpApp, deps: RouteDeps): void {
  const { config, platform, tokens, spaces, userLimits, spaceDeletion, now } = deps
  const { spaceRecords, spacePayers, members } = platform
  const preParsing = authenticateBy(tokens)
  const unread = createUnreadAnswers()
  const tags = ['spaces']
  const security = bearer

  function summaryFor(spaceId: SpaceId, userId: UserId): SpaceSummary {
    requireRight(members, spaceId, { userId }, 'read')
    const space = spaceRecords.get(spaceId, userId)
    if (space === undefined) throw new SyncError('not_found', 'No such space')
    return space
  }

  app.get('/api/spaces', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'The spaces that the caller is a member of, oldest first',
      response: { 200: spaceListSchema, ...errorResponses('unauthenticated') },
    },
    handler: async (request) => ({ spaces: spaceRecords.listFor(callerOf(request).userId) }),
  })

  app.post('/api/spaces', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Register a space under the id that the client gave it; the caller becomes its owner',
      description:
        'Registering a space that the caller is a member of changes nothing, and returns it (200).',
      body: createSpaceBodySchema,
      response: {
        200: spaceSchema,
        201: spaceSchema,
        ...errorResponses('unauthenticated', 'already_exists', 'quota_exceeded', 'storage_failed'),
      },
    },
    handler: async (request, reply) => {
      const { userId } = callerOf(request)
      const { id, name } = request.body
      if (members.roleOf(id, userId) !== undefined) return summaryFor(id, userId)
      if (spaceRecords.exists(id)) {
        throw new SyncError('already_exists', 'This space id is somebody else’s', { at: 'id' })
      }
      const { userSpaces } = config.quotas
      if (spacePayers.paidBy(userId).length >= userSpaces) {
        const message = `You own ${userSpaces} spaces, as many as this server allows: delete one first`
        throw new SyncError('quota_exceeded', message, { retryAfterMs: quotaRetryMs })
      }
      spaceDeletion.finish(id)
      spaceRecords.add({ id, name }, userId, now())
      return reply.code(201).send(summaryFor(id, userId))
    },
  })

  app.get('/api/spaces/:spaceId', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'One space',
      params: spaceParams,
      response: { 200: spaceSchema, ...errorResponses('unauthenticated', 'not_found') },
    },
    handler: async (request) => summaryFor(request.params.spaceId, callerOf(request).userId),
  })

  app.patch('/api/spaces/:spaceId', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Rename a space (owners and editors)',
      params: spaceParams,
      body: renameSpaceBodySchema,
      response: { 200: spaceSchema, ...errorResponses('unauthenticated', 'forbidden', 'not_found') },
    },
    handler: async (request) => {
      const { userId } = callerOf(request)
      const { spaceId } = request.params
      requireRight(members, spaceId, { userId }, 'rename')
      spaceRecords.rename(spaceId, request.body.name)
      return summaryFor(spaceId, userId)
    },
  })

  app.delete('/api/spaces/:spaceId', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Delete a space with everything in it, for everyone (owners)',
      params: spaceParams,
      response: {
        204: z.undefined().describe('Deleted'),
        ...errorResponses('unauthenticated', 'forbidden', 'not_found'),
      },
    },
    handler: async (request, reply) => {
      const { spaceId } = request.params
      requireRight(members, spaceId, callerOf(request), 'delete')
      spaceDeletion.delete(spaceId, now())
      return reply.code(204).send()
    },
  })

  app.get('/api/spaces/:spaceId/trees/:treeId', {
    preParsing,
    // The tree is JSON text already, so only errors are serialized.
    serializerCompiler: () => (body) => (typeof body === 'string' ? body : JSON.stringify(body)),
    schema: {
      tags,
      security,
      summary: 'A tree as the server’s replica shows it, in depth-first order',
      params: spaceParams.extend({ treeId: treeIdSchema }),
      response: {
        200: treeAsText,
        ...errorResponses(
          'unauthenticated',
          'not_found',
          'too_large',
          'rate_limited',
          'storage_failed',
          'unavailable',
        ),
      },
    },
    handler: async (request, reply) => {
      const { spaceId, treeId } = request.params
      const { userId } = callerOf(request)
      requireRight(members, spaceId, { userId }, 'read')
      unread.check(userId)
      unread.add(userId, reply.raw)
      const tree = await spaces.readTree({ spaceId, treeId }, userLimits.of(userId))
      // A member who was removed or signed out while the tree was read sees nothing of it.
      requireRight(members, spaceId, callerOf(request), 'read')
      reply.type('application/json; charset=utf-8')
      return tree
    },
  })
}
