import {
  changeMemberBodySchema,
  createInviteBodySchema,
  inviteIdSchema,
  inviteListSchema,
  inviteSchema,
  memberListSchema,
  memberSchema,
  spaceIdSchema,
  spaceSchema,
  SyncError,
  userIdSchema,
} from '@t69/protocol'
import { z } from 'zod'

import { authenticateBy, callerOf } from './authenticate.ts'
import { bearer, errorResponses } from './openapi.ts'
import { ownOrigin } from './own-pages.ts'
import { requireMember, requireRight } from './require-right.ts'
import type { HttpApp, RouteDeps } from './route.ts'

const spaceParams = z.object({ spaceId: spaceIdSchema })
const memberParams = spaceParams.extend({ userId: userIdSchema })
const ownInviteParams = spaceParams.extend({ inviteId: inviteIdSchema })
const inviteParams = z.object({ token: z.string().min(1).max(100) })

/** The routes of members and invites. Each states the right that it takes; every member may leave. */
export function sharingRoutes(app: HttpApp, deps: RouteDeps): void {
  const { config, platform, tokens, liveSockets, now } = deps
  const { members, invites, spaceRecords } = platform
  const preParsing = authenticateBy(tokens)
  const tags = ['sharing']
  const security = bearer

  app.get('/api/spaces/:spaceId/members', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'The members of a space, in the order in which they joined',
      params: spaceParams,
      response: { 200: memberListSchema, ...errorResponses('unauthenticated', 'not_found') },
    },
    handler: async (request) => {
      const { spaceId } = request.params
      requireRight(members, spaceId, callerOf(request), 'read')
      return { members: members.list(spaceId) }
    },
  })

  app.patch('/api/spaces/:spaceId/members/:userId', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Change a member’s role (owners)',
      description:
        'The last owner keeps the role. Invites that would give back a right which the member loses are withdrawn.',
      params: memberParams,
      body: changeMemberBodySchema,
      response: { 200: memberSchema, ...errorResponses('unauthenticated', 'forbidden', 'not_found') },
    },
    handler: async (request) => {
      const { spaceId, userId } = request.params
      requireRight(members, spaceId, callerOf(request), 'manageMembers')
      members.changeRole(spaceId, userId, request.body.role, now())
      liveSockets.memberChanged(spaceId, userId)
      const changed = members.list(spaceId).find((member) => member.user.id === userId)
      if (changed === undefined) throw new SyncError('not_found', 'No such member')
      return changed
    },
  })

  app.delete('/api/spaces/:spaceId/members/:userId', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Remove a member (owners), or leave (everyone)',
      description:
        'The last owner stays: delete the space, or make somebody else an owner first. Removing a member withdraws ' +
        'all invites of the space, since a link would let the member in again.',
      params: memberParams,
      response: {
        204: z.undefined().describe('Removed'),
        ...errorResponses('unauthenticated', 'forbidden', 'not_found'),
      },
    },
    handler: async (request, reply) => {
      const { spaceId, userId } = request.params
      const caller = callerOf(request)
      if (userId === caller.userId) {
        requireMember(members, spaceId, caller)
        members.remove(spaceId, userId)
      } else {
        requireRight(members, spaceId, caller, 'manageMembers')
        members.expel(spaceId, userId, now())
      }
      liveSockets.memberChanged(spaceId, userId)
      return reply.code(204).send()
    },
  })

  app.post('/api/spaces/:spaceId/invites', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Make an invite link (owners)',
      description:
        'Anyone with the link may join, for 7 days, as long as its creator is an owner, and until an owner withdraws ' +
        'it or removes a member.',
      params: spaceParams,
      body: createInviteBodySchema,
      response: {
        201: inviteSchema,
        ...errorResponses('unauthenticated', 'forbidden', 'not_found', 'quota_exceeded'),
      },
    },
    handler: async (request, reply) => {
      const { spaceId } = request.params
      const { userId } = callerOf(request)
      requireRight(members, spaceId, { userId }, 'invite')
      const invite = invites.add({ spaceId, role: request.body.role, createdBy: userId }, now())
      const base = config.publicUrl ?? ownOrigin(request, config.corsOrigins)
      return reply.code(201).send({ ...invite, url: `${base}/invite/${invite.token}` })
    },
  })

  app.get('/api/spaces/:spaceId/invites', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Active invites, newest first (owners)',
      description: 'Without their links, which the server does not keep.',
      params: spaceParams,
      response: { 200: inviteListSchema, ...errorResponses('unauthenticated', 'forbidden', 'not_found') },
    },
    handler: async (request) => {
      const { spaceId } = request.params
      requireRight(members, spaceId, callerOf(request), 'invite')
      return { invites: invites.list(spaceId, now()) }
    },
  })

  app.delete('/api/spaces/:spaceId/invites/:inviteId', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Withdraw an invite (owners)',
      description: 'Members who joined by it stay.',
      params: ownInviteParams,
      response: {
        204: z.undefined().describe('Withdrawn'),
        ...errorResponses('unauthenticated', 'forbidden', 'not_found'),
      },
    },
    handler: async (request, reply) => {
      const { spaceId, inviteId } = request.params
      requireRight(members, spaceId, callerOf(request), 'invite')
      invites.withdraw(spaceId, inviteId, now())
      return reply.code(204).send()
    },
  })

  app.post('/api/invites/:token/accept', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Join the space of an invite',
      description: 'A member keeps the role that they have.',
      params: inviteParams,
      response: { 200: spaceSchema, ...errorResponses('unauthenticated', 'not_found', 'invite_expired') },
    },
    handler: async (request) => {
      const { userId } = callerOf(request)
      const { spaceId, added } = invites.accept(request.params.token, userId, now())
      if (added) liveSockets.memberChanged(spaceId, userId)
      requireRight(members, spaceId, { userId }, 'read')
      const space = spaceRecords.get(spaceId, userId)
      if (space === undefined) throw new SyncError('not_found', 'No such space')
      return space
    },
  })
}
