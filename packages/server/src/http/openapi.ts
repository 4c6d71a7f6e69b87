import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { errorResponseSchema, type ErrorCode, errorCodes } from '@t69/protocol'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'

import type { HttpApp } from './route.ts'

/**
 * Describes the HTTP API at `/docs`, and as JSON at `/docs/json`. Register it before any route: it records each.
 * `basePath` is where both are in the browser, such as `/t69`, or an empty text.
 */
export async function registerOpenApi(app: HttpApp, basePath: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 't69 sync',
        version: '1',
        description:
          'Accounts, spaces, members and invites. Operations themselves travel over Socket.io: see SPEC.md of ' +
          'the protocol package. Every error is `{"error": {"code", "message", "retryAfterMs"?, "at"?}}`.',
      },
      ...(basePath !== '' && { servers: [{ url: basePath }] }),
      tags: [
        { name: 'auth', description: 'Accounts and sessions' },
        { name: 'spaces', description: 'Spaces and their trees' },
        { name: 'sharing', description: 'Members and invites' },
        { name: 'admin', description: 'For admins of the server: the admin page' },
        { name: 'operation', description: 'For the operator' },
      ],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
    },
    hideUntagged: true,
    transform: jsonSchemaTransform,
  })
  await app.register(swaggerUi, { routePrefix: '/docs', indexPrefix: basePath })
}

/** The `security` of a route that takes an access token. */
export const bearer: readonly Record<string, readonly string[]>[] = [{ bearer: [] }]

/** For the description of a route that answers in pages. */
export const pagesDescription =
  'In pages: `next` is there while more may follow, and is the `after` of the next page. A page has at most `limit` ' +
  'entries and 1,000,000 bytes.'

/** The errors of a route, by status, for its description. */
export function errorResponses(...codes: readonly ErrorCode[]): Record<number, typeof errorResponseSchema> {
  const always: readonly ErrorCode[] = ['invalid_request', 'rate_limited', 'internal', 'unavailable']
  return Object.fromEntries(
    [...codes, ...always].map((code) => [errorCodes[code].status, errorResponseSchema]),
  )
}
