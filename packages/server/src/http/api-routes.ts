import type { IncomingMessage, ServerResponse } from 'node:http'

import type {
  ContextConfigDefault,
  FastifySchema,
  RawServerDefault,
  RouteGenericInterface,
  RouteShorthandOptionsWithHandler,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'

/**
 * Every route of the API, by method and path. A path that is not listed here does not compile in a route file
 * (`HttpApp`), and one that is listed does not compile in the tests of access until they say who may ask for it.
 */
export const apiRoutes = [
  'GET /health',
  'GET /ready',
  'GET /metrics',
  'GET /api/auth/registration',
  'POST /api/auth/register',
  'POST /api/auth/login',
  'POST /api/auth/refresh',
  'POST /api/auth/logout',
  'POST /api/auth/change-password',
  'POST /api/auth/delete-account',
  'POST /api/auth/password-link/preview',
  'POST /api/auth/password-link',
  'POST /api/auth/forgotten-password',
  'POST /api/auth/provider',
  'GET /api/auth/provider/callback',
  'POST /api/auth/provider/sign-in',
  'POST /api/auth/provider/connect',
  'POST /api/auth/provider/disconnect',
  'POST /api/auth/passkeys/challenge',
  'POST /api/auth/passkeys/sign-in',
  'GET /api/auth/passkeys',
  'POST /api/auth/passkeys/creation',
  'POST /api/auth/passkeys',
  'POST /api/auth/passkeys/remove',
  'GET /api/me',
  'GET /api/me/ways-to-sign-in',
  'POST /api/auth/change-address',
  'POST /api/auth/change-address/confirm',
  'PATCH /api/me',
  'GET /api/sessions',
  'DELETE /api/sessions',
  'DELETE /api/sessions/:sessionId',
  'POST /api/accounts/:userId',
  'GET /api/spaces',
  'POST /api/spaces',
  'GET /api/spaces/:spaceId',
  'PATCH /api/spaces/:spaceId',
  'DELETE /api/spaces/:spaceId',
  'GET /api/spaces/:spaceId/trees/:treeId',
  'GET /api/spaces/:spaceId/members',
  'PATCH /api/spaces/:spaceId/members/:userId',
  'DELETE /api/spaces/:spaceId/members/:userId',
  'POST /api/spaces/:spaceId/invites',
  'GET /api/spaces/:spaceId/invites',
  'DELETE /api/spaces/:spaceId/invites/:inviteId',
  'POST /api/invites/preview',
  'POST /api/invites/:token/accept',
  'GET /api/admin/overview',
  'POST /api/admin/registration',
  'GET /api/admin/users',
  'GET /api/admin/users/:id',
  'POST /api/admin/users/:id/role',
  'POST /api/admin/users/:id/password-link',
  'POST /api/admin/users/:id/sign-out',
  'POST /api/admin/users/:id/delete',
  'GET /api/admin/spaces',
  'GET /api/admin/spaces/:id',
  'POST /api/admin/spaces/:id/delete',
  'GET /api/admin/connections',
  'GET /api/admin/audit',
  'GET /api/admin/invites',
  'POST /api/admin/invites',
  'DELETE /api/admin/invites/:id',
] as const

export type ApiRoute = (typeof apiRoutes)[number]

/** The paths of the routes with a method: `'/api/me'` and others for `'GET'`. */
type ApiPath<Method extends string> = ApiRoute extends infer Route
  ? Route extends `${Method} ${infer Path}`
    ? Path
    : never
  : never

type AddRoute<Method extends string> = <const Schema extends FastifySchema>(
  path: ApiPath<Method>,
  options: RouteShorthandOptionsWithHandler<
    RawServerDefault,
    IncomingMessage,
    ServerResponse,
    RouteGenericInterface,
    ContextConfigDefault,
    Schema,
    ZodTypeProvider
  >,
) => void

type AddsRoutes = 'all' | 'delete' | 'get' | 'head' | 'options' | 'patch' | 'post' | 'put' | 'route' | 'trace'

/** `App` with methods that add the routes of `apiRoutes` and no others. */
export type ListedRoutes<App> = Omit<App, AddsRoutes> & {
  readonly delete: AddRoute<'DELETE'>
  readonly get: AddRoute<'GET'>
  readonly patch: AddRoute<'PATCH'>
  readonly post: AddRoute<'POST'>
}
