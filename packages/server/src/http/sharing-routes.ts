import {
  changeMemberBodySchema,
  createInviteBodySchema,
  inviteIdSchema,
  inviteListSchema,
  invitePreviewSchema,
  inviteSchema,
  type InviteSummary,
  memberListSchema,
  memberSchema,
  pageQuerySchema,
  previewInviteBodySchema,
  spaceIdSchema,
  spaceSchema,
  SyncError,
  userIdSchema,
} from '@t69/protocol'
import { z } from 'zod'

import { authenticateBy, callerOf, knownCaller } from './authenticate.ts'
import { findInvite } from './find-invite.ts'
import { createNoteDone } from './note-done.ts'
import { bearer, errorResponses, pagesDescription } from './openapi.ts'
import { ownOrigin } from './own-pages.ts'
import { pageOf } from './pages.ts'
import { createPreviewLimit } from './rate-limits.ts'
import { noteSpace } from './request-log.ts'
import { requireMember, requireRight } from './require-right.ts'
import type { HttpApp, RouteDeps } from './route.ts'

const spaceParams = z.object({ spaceId: spaceIdSchema })
const memberParams = spaceParams.extend({ userId: userIdSchema })
const ownInviteParams = spaceParams.extend({ inviteId: inviteIdSchema })
const inviteParams = previewInviteBodySchema

/** The routes of members and invites. Each states the right that it takes; every member may leave. */
export function sharingRoutes(app: HttpApp, deps: RouteDeps): void {
  const { config, platform, access, tokens, now, monotonic } = deps
  const { members, invites, spaceRecords, accessLists, users } = platform
  const limitPreviews = createPreviewLimit(config, monotonic)
  const preParsing = authenticateBy(tokens)
  const noteDone = createNoteDone(deps)
  const tags = ['sharing']
  const security = bearer

  app.get('/api/spaces/:spaceId/members', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'The members of a space, in the order in which they joined',
      description: `\`absent\` are those whose accounts this server has lost. ${pagesDescription}`,
      params: spaceParams,
      querystring: pageQuerySchema,
      response: { 200: memberListSchema, ...errorResponses('unauthenticated', 'not_found') },
    },
    handler: async (request) => {
      const { spaceId } = request.params
      requireRight(access, spaceId, callerOf(request), 'read')
      const all = [
        ...members.list(spaceId).map((entry) => ({ entry, isAbsent: false })),
        ...accessLists.absent(spaceId).map((entry) => ({ entry, isAbsent: true })),
      ]
      const placeOf = ({ entry }: (typeof all)[number]) => ({ time: entry.joinedAt, id: entry.user.id })
      const { entries, ...next } = pageOf(all, request.query, placeOf)
      const those = (areAbsent: boolean) =>
        entries.flatMap(({ entry, isAbsent }) => (isAbsent === areAbsent ? [entry] : []))
      return { members: those(false), absent: those(true), ...next }
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
      const caller = callerOf(request)
      requireRight(access, spaceId, caller, 'manageMembers')
      members.changeRole(spaceId, userId, request.body.role, now())
      noteDone(request, caller.userId, 'role changed', { userId, spaceId })
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
        requireMember(access, spaceId, caller)
        members.remove(spaceId, userId)
        noteDone(request, caller.userId, 'left', { spaceId, userId })
      } else {
        requireRight(access, spaceId, caller, 'manageMembers')
        members.expel(spaceId, userId, now())
        noteDone(request, caller.userId, 'removed', { spaceId, userId })
      }
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
      requireRight(access, spaceId, { userId }, 'invite')
      const invite = invites.add({ spaceId, role: request.body.role, createdBy: userId }, now())
      noteDone(request, userId, 'invite made', { spaceId })
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
      description: `Without their links, which the server does not keep. ${pagesDescription}`,
      params: spaceParams,
      querystring: pageQuerySchema,
      response: { 200: inviteListSchema, ...errorResponses('unauthenticated', 'forbidden', 'not_found') },
    },
    handler: async (request) => {
      const { spaceId } = request.params
      requireRight(access, spaceId, callerOf(request), 'invite')
      // Newest first.
      const placeOf = ({ id, createdAt }: InviteSummary) => ({
        id,
        time: Number.MAX_SAFE_INTEGER - createdAt,
      })
      const { entries, ...next } = pageOf(invites.list(spaceId, now()), request.query, placeOf)
      return { invites: entries, ...next }
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
      const caller = callerOf(request)
      requireRight(access, spaceId, caller, 'invite')
      invites.withdraw(spaceId, inviteId, now())
      noteDone(request, caller.userId, 'invite withdrawn', { spaceId })
      return reply.code(204).send()
    },
  })

  app.post('/api/invites/preview', {
    config: { rateLimit: false },
    preHandler: limitPreviews,
    schema: {
      tags,
      summary: 'What an invite is, before joining',
      description:
        'For anyone with the link, signed in or not. Changes nothing, and names no e-mail address. A member is told ' +
        'which space it is.',
      body: previewInviteBodySchema,
      response: { 200: invitePreviewSchema, ...errorResponses('not_found', 'invite_expired') },
    },
    handler: async (request) => {
      const { spaceId, role, createdBy, expiresAt } = await findInvite(deps, request.body.token)
      const space = spaceRecords.get(spaceId, createdBy)
      const inviter = users.byId(createdBy)
      if (space === undefined || inviter === undefined) throw new SyncError('not_found', 'No such invite')
      const caller = knownCaller(tokens, request)
      const isMember = caller !== undefined && access.roleOf(spaceId, caller.userId) !== undefined
      return {
        space: space.name,
        role,
        invitedBy: inviter.name,
        expiresAt,
        ...(isMember && { memberOf: spaceId }),
      }
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
      response: {
        200: spaceSchema,
        ...errorResponses('unauthenticated', 'not_found', 'invite_expired', 'quota_exceeded'),
      },
    },
    handler: async (request) => {
      await findInvite(deps, request.params.token)
      const { userId } = callerOf(request)
      const { spaceId, added } = invites.accept(request.params.token, userId, now())
      noteSpace(request, spaceId)
      if (added) noteDone(request, userId, 'joined by an invite', { spaceId, userId })
      requireRight(access, spaceId, { userId }, 'read')
      const space = spaceRecords.get(spaceId, userId)
      if (space === undefined) throw new SyncError('not_found', 'No such space')
      return space
    },
  })
}
