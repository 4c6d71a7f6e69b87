import etag from '@fastify/etag'
import {
  createSpaceBodySchema,
  limits,
  pageQuerySchema,
  renameSpaceBodySchema,
  rightsOf,
  spaceIdSchema,
  spaceListSchema,
  spaceSchema,
  SyncError,
  treeIdSchema,
  treeQuerySchema,
  treeSchema,
  type RegistrationId,
  type SpaceId,
  type SpaceSummary,
  type UserId,
} from '@t69/protocol'
import { z } from 'zod'

import type { AccessList } from '../platform/access-list.ts'
import { authenticateBy, callerOf } from './authenticate.ts'
import { createNoteDone } from './note-done.ts'
import { bearer, errorResponses, pagesDescription } from './openapi.ts'
import { firstPage, placeBefore } from './pages.ts'
import { noteSpace } from './request-log.ts'
import { requireRight } from './require-right.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { createUnreadAnswers } from './unread-answers.ts'

/** Wait after a full quota, in ms. The client repeats by itself, and the quota stays full until a space is deleted. */
const quotaRetryMs = 60_000

/** The most spaces that are read for one page. No more fit into it. */
const maxListed = 8_000

/** The schema describes the response; the handler has its JSON text already. */
const treeAsText: z.ZodType = treeSchema

const spaceParams = z.object({ spaceId: spaceIdSchema })

/** The routes of spaces. Each states the right that it takes. */
export function spaceRoutes(app: HttpApp, deps: RouteDeps): void {
  const { config, platform, access, tokens, spaces, userLimits, spaceDeletion, now } = deps
  const { spaceRecords, spacePayers, accessLists, seals } = platform
  const preParsing = authenticateBy(tokens)
  const unread = createUnreadAnswers()
  const noteDone = createNoteDone(deps)
  const tags = ['spaces']
  const security = bearer

  function summaryFor(spaceId: SpaceId, userId: UserId): SpaceSummary {
    requireRight(access, spaceId, { userId }, 'read')
    const space = spaceRecords.get(spaceId, userId)
    if (space === undefined) throw new SyncError('not_found', 'No such space')
    return space
  }

  // In a scope of its own: only this answer has an ETag.
  void app.register(async (scope: HttpApp) => {
    await scope.register(etag)
    scope.get('/api/spaces', {
      preParsing,
      schema: {
        tags,
        security,
        summary: 'The spaces that the caller is a member of, oldest first',
        description: `${pagesDescription} Asked with the \`ETag\` of a page in \`If-None-Match\`, answers 304 while the page is the same.`,
        querystring: pageQuerySchema,
        response: {
          200: spaceListSchema,
          304: z.undefined().describe('Not modified'),
          ...errorResponses('unauthenticated'),
        },
      },
      handler: async (request) => {
        const { userId } = callerOf(request)
        await access.settle(userId)
        const { limit = maxListed } = request.query
        // One more than the page may have, to know whether another follows.
        const rest = spaceRecords.pageFor(userId, placeBefore(request.query), limit + 1)
        const placeOf = ({ id, createdAt }: SpaceSummary) => ({ id, time: createdAt })
        const { entries: spaces, ...next } = firstPage(rest, { limit }, placeOf)
        return { spaces, ...next }
      },
    })
  })

  app.post('/api/spaces', {
    preParsing,
    bodyLimit: limits.maxSealLength + 64 * 1024,
    schema: {
      tags,
      security,
      summary: 'Register a space under the id that the client gave it; the caller becomes its owner',
      description:
        'Registering a space that the caller is a member of changes nothing, and returns it (200), unless another ' +
        '`registration` is named. With a `seal`, the server takes from it what it lacks: changes of the members, or ' +
        'the space itself, if the caller is an owner in the seal. The id of a deleted space is not given out again.',
      body: createSpaceBodySchema,
      response: {
        200: spaceSchema,
        201: spaceSchema,
        ...errorResponses('unauthenticated', 'forbidden', 'not_found', 'already_exists', 'quota_exceeded'),
      },
    },
    handler: async (request, reply) => {
      const { id, name, registration, seal } = request.body
      noteSpace(request, id)
      await access.askLog(id, callerOf(request).userId)
      const { userId } = callerOf(request)
      const list = seal === undefined ? undefined : openSeal(id, seal)
      if (spaceRecords.exists(id)) {
        if (list === undefined) requireOwnRegistration(id, userId, registration)
        else await mergeList(list, userId)
        return summaryFor(id, userId)
      }
      requireNeverDeleted(id)
      requireRoom(userId)
      if (list === undefined) spaceRecords.add({ id, name, registration }, userId, now())
      else if (isOwnerIn(list, userId)) accessLists.registerAgain(list, name)
      else
        throw new SyncError(
          'forbidden',
          'The server has lost this space: only an owner can register it again',
          {
            reason: 'owner_needed',
          },
        )
      // Its log may say what the accounts have forgotten.
      await access.askLog(id, userId)
      requireNeverDeleted(id)
      return reply.code(201).send(summaryFor(id, userId))
    },
  })

  function requireNeverDeleted(id: SpaceId): void {
    if (spaceRecords.wasDeleted(id)) throw taken()
  }

  function openSeal(spaceId: SpaceId, seal: string): AccessList {
    const list = seals.openSpace(seal)
    const identity = spaceRecords.identityOf(spaceId)
    if (list?.spaceId === spaceId && (identity === undefined || list.identity === identity)) return list
    throw new SyncError('invalid_request', 'This is not a seal of the space that this server can read', {
      at: 'seal',
    })
  }

  function requireOwnRegistration(
    spaceId: SpaceId,
    userId: UserId,
    registration: RegistrationId | undefined,
  ): void {
    const isMember = access.roleOf(spaceId, userId) !== undefined
    if (isMember && (registration === undefined || spaceRecords.wasRegisteredBy(spaceId, registration)))
      return
    throw taken()
  }

  async function mergeList(list: AccessList, userId: UserId): Promise<void> {
    if (access.roleOf(list.spaceId, userId) === undefined && !isOwnerIn(list, userId)) throw taken()
    accessLists.merge(list)
    await access.askLog(list.spaceId, userId)
    // An owner of before, whom the server or the seal itself knows as removed since.
    if (access.roleOf(list.spaceId, userId) === undefined) throw taken()
  }

  function requireRoom(userId: UserId): void {
    const { userSpaces } = config.quotas
    if (spacePayers.paidBy(userId).length < userSpaces) return
    const message = `You own ${userSpaces} spaces, as many as this server allows: delete one first`
    throw new SyncError('quota_exceeded', message, { reason: 'too_many_spaces', retryAfterMs: quotaRetryMs })
  }

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
      requireRight(access, spaceId, { userId }, 'rename')
      accessLists.rename(spaceId, request.body.name)
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
      const caller = callerOf(request)
      requireRight(access, spaceId, caller, 'delete')
      const deleted = spaceDeletion.delete(spaceId, now())
      noteDone(request, caller.userId, 'space deleted', { spaceId })
      await deleted
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
      description:
        'With `at`, as it was at that position of the log. Positions count the operations that were committed to the space: ' +
        'the acks of pushes and the pages of the log name them.',
      params: spaceParams.extend({ treeId: treeIdSchema }),
      querystring: treeQuerySchema,
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
      const { at: cursor } = request.query
      const { userId } = callerOf(request)
      requireRight(access, spaceId, { userId }, 'read')
      unread.check(userId)
      unread.add(userId, reply.raw)
      const tree = await spaces.readTree({ spaceId, treeId, cursor }, userLimits.of(userId))
      // A member who was removed or signed out while the tree was read sees nothing of it.
      requireRight(access, spaceId, callerOf(request), 'read')
      reply.type('application/json; charset=utf-8')
      return tree
    },
  })
}

/** The same for a space that is there and one that was deleted: a former member does not learn which it is. */
function taken(): SyncError {
  return new SyncError('already_exists', 'This id is taken, by another space or by one that was deleted', {
    reason: 'id_taken',
    at: 'id',
  })
}

function isOwnerIn(list: AccessList, userId: UserId): boolean {
  return list.entries.some((entry) => entry.userId === userId && rightsOf(entry.role).own)
}
