import {
  adminAuditListSchema,
  adminAuditQuerySchema,
  adminConnectionListSchema,
  adminInviteListSchema,
  adminLinkSchema,
  adminOverviewSchema,
  adminPageQuerySchema,
  adminRegistrationBodySchema,
  adminRegistrationSchema,
  adminRoleBodySchema,
  adminSearchQuerySchema,
  adminSpaceDetailsSchema,
  adminSpaceListSchema,
  adminUserDetailsSchema,
  adminUserListSchema,
  adminUserSchema,
  type ErrorCode,
  proofSchema,
  spaceIdSchema,
  SyncError,
  userIdSchema,
} from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import type { Administrator, NewToken } from '../ports/administration.ts'
import { authenticateBy, callerOf } from './authenticate.ts'
import type { ConfirmedCaller } from './confirm-caller.ts'
import { bearer, errorResponses } from './openapi.ts'
import { ownOrigin } from './own-pages.ts'
import type { HttpApp, RouteDeps } from './route.ts'

// Not `spaceId`: the log of such a space is asked whether the caller is a member.
const ofUser = z.object({ id: userIdSchema })
const ofSpace = z.object({ id: spaceIdSchema })
const ofInvite = z.object({ id: z.string().regex(/^[0-9a-f]{64}$/) })

const pages =
  'The newest first, in pages of at most 50. `next` is there while more may follow, and is the `after` of the next page: ' +
  'a page visits a bounded number of rows, and may be empty and have it.'
const confirms = 'Takes what shows that it is the caller who asks: the password, or a passkey.'

/**
 * The routes of the admin page. Whether the caller is an admin is asked of the accounts at each request, and again once a
 * it was shown who they are. What gives access to somebody’s account, or destroys something, takes that.
 */
export function adminRoutes(app: HttpApp, deps: RouteDeps, confirmed: ConfirmedCaller): void {
  const { config, administration, tokens } = deps
  const authenticate = authenticateBy(tokens)
  const tags = ['admin']
  const security = bearer

  function adminOf(request: FastifyRequest): Administrator {
    const { userId: actorId } = callerOf(request)
    if (administration.isAdmin(actorId)) return { actorId, address: request.ip }
    throw new SyncError('forbidden', 'This takes an admin of the server', { reason: 'not_admin' })
  }

  // Others learn nothing else, not even that the body is wrong.
  const preParsing = async (request: FastifyRequest): Promise<void> => {
    await authenticate(request)
    adminOf(request)
  }

  // Once more: it may have waited for other requests of the admin.
  const preHandler = async (request: FastifyRequest): Promise<void> => void adminOf(request)

  function linkOf(request: FastifyRequest, does: 'sign-up' | 'set-password', made: NewToken) {
    const base = config.publicUrl ?? ownOrigin(request, config.corsOrigins)
    return { url: `${base}/#${does}=${made.token}`, expiresAt: made.expiresAt }
  }

  function errors(...codes: readonly ErrorCode[]) {
    return errorResponses('unauthenticated', 'forbidden', ...codes)
  }

  app.get('/api/admin/overview', {
    preParsing,
    preHandler,
    schema: {
      tags,
      security,
      summary: 'How the server is',
      response: { 200: adminOverviewSchema, ...errors() },
    },
    handler: () => administration.overview(),
  })

  app.post('/api/admin/registration', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Choose who may sign up',
      description: 'Null for what the setting says.',
      body: adminRegistrationBodySchema,
      response: { 200: adminRegistrationSchema, ...errors() },
    },
    handler: (request) => administration.chooseRegistration(adminOf(request), request.body.mode),
  })

  app.get('/api/admin/users', {
    preParsing,
    preHandler,
    schema: {
      tags,
      security,
      summary: 'Accounts',
      description: pages,
      querystring: adminSearchQuerySchema,
      response: { 200: adminUserListSchema, ...errors() },
    },
    handler: (request) => administration.users(request.query),
  })

  app.get('/api/admin/users/:id', {
    preParsing,
    preHandler,
    schema: {
      tags,
      security,
      summary: 'An account with its sessions and spaces',
      params: ofUser,
      response: { 200: adminUserDetailsSchema, ...errors('not_found') },
    },
    handler: (request) => administration.user(request.params.id),
  })

  app.post('/api/admin/users/:id/role', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Make an account an admin, or a member again',
      description: confirms,
      params: ofUser,
      body: adminRoleBodySchema,
      response: { 200: adminUserSchema, ...errors('not_found', 'wrong_credentials') },
    },
    handler: (request, reply) => {
      const { role, ...proof } = request.body
      return confirmed(request, reply, proof, () =>
        administration.setRole(adminOf(request), request.params.id, role),
      )
    },
  })

  app.post('/api/admin/users/:id/password-link', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Make a link by which an account’s owner sets another password',
      description: `Nothing has changed until then, but that earlier links are void. ${confirms}`,
      params: ofUser,
      body: proofSchema,
      response: { 200: adminLinkSchema, ...errors('not_found', 'wrong_credentials') },
    },
    handler: (request, reply) =>
      confirmed(request, reply, request.body, async () => {
        const made = await administration.passwordLink(adminOf(request), request.params.id)
        return linkOf(request, 'set-password', made)
      }),
  })

  app.post('/api/admin/users/:id/sign-out', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'End all sessions of an account, with their sockets',
      params: ofUser,
      response: { 204: z.undefined().describe('Signed out'), ...errors('not_found') },
    },
    handler: async (request, reply) => {
      await administration.signOut(adminOf(request), request.params.id)
      return reply.code(204).send()
    },
  })

  app.post('/api/admin/users/:id/delete', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Delete an account for good, with the spaces that nobody else is in',
      description: `\`forbidden\` for the caller’s own account, and for the last owner of a space with other members. ${confirms}`,
      params: ofUser,
      body: proofSchema,
      response: { 204: z.undefined().describe('Deleted'), ...errors('not_found', 'wrong_credentials') },
    },
    handler: async (request, reply) => {
      await confirmed(request, reply, request.body, () =>
        administration.deleteUser(adminOf(request), request.params.id),
      )
      return reply.code(204).send()
    },
  })

  app.get('/api/admin/spaces', {
    preParsing,
    preHandler,
    schema: {
      tags,
      security,
      summary: 'Spaces with their sizes',
      description: pages,
      querystring: adminSearchQuerySchema,
      response: { 200: adminSpaceListSchema, ...errors() },
    },
    handler: (request) => administration.spaces(request.query),
  })

  app.get('/api/admin/spaces/:id', {
    preParsing,
    preHandler,
    schema: {
      tags,
      security,
      summary: 'A space with its members',
      description: 'Nothing of its content.',
      params: ofSpace,
      response: { 200: adminSpaceDetailsSchema, ...errors('not_found') },
    },
    handler: (request) => administration.space(request.params.id),
  })

  app.post('/api/admin/spaces/:id/delete', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Delete a space for everybody, for good',
      description: confirms,
      params: ofSpace,
      body: proofSchema,
      response: { 204: z.undefined().describe('Deleted'), ...errors('not_found', 'wrong_credentials') },
    },
    handler: async (request, reply) => {
      await confirmed(request, reply, request.body, () =>
        administration.deleteSpace(adminOf(request), request.params.id),
      )
      return reply.code(204).send()
    },
  })

  app.get('/api/admin/connections', {
    preParsing,
    preHandler,
    schema: {
      tags,
      security,
      summary: 'Sockets that are connected',
      description: pages,
      querystring: adminPageQuerySchema,
      response: { 200: adminConnectionListSchema, ...errors() },
    },
    handler: (request) => administration.connections(request.query),
  })

  app.get('/api/admin/audit', {
    preParsing,
    preHandler,
    schema: {
      tags,
      security,
      summary: 'What was done, by whom and from where',
      description: `Of \`user\`, or else of \`space\`, or else everything. ${pages}`,
      querystring: adminAuditQuerySchema,
      response: { 200: adminAuditListSchema, ...errors() },
    },
    handler: (request) => administration.audit(request.query),
  })

  app.get('/api/admin/invites', {
    preParsing,
    preHandler,
    schema: {
      tags,
      security,
      summary: 'Invites to the server',
      description: pages,
      querystring: adminPageQuerySchema,
      response: { 200: adminInviteListSchema, ...errors() },
    },
    handler: (request) => administration.invites(request.query),
  })

  app.post('/api/admin/invites', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Make a link by which one person may sign up',
      response: { 201: adminLinkSchema, ...errors() },
    },
    handler: async (request, reply) => {
      const made = await administration.makeInvite(adminOf(request))
      return reply.code(201).send(linkOf(request, 'sign-up', made))
    },
  })

  app.delete('/api/admin/invites/:id', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Withdraw an invite to the server that was not used',
      params: ofInvite,
      response: { 204: z.undefined().describe('Withdrawn'), ...errors('not_found') },
    },
    handler: async (request, reply) => {
      await administration.withdrawInvite(adminOf(request), request.params.id)
      return reply.code(204).send()
    },
  })
}
