import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { errorResponseSchema, type ErrorCode, errorCodes } from '@t69/protocol'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'

import type { HttpApp } from './route.ts'

/** The HTTP side at `/docs`, as JSON at `/docs/json`. Before any route: each is taken down as it is made. */
export async function registerOpenApi(app: HttpApp): Promise<void> {
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
      tags: [
        { name: 'auth', description: 'Accounts and sessions' },
        { name: 'spaces', description: 'Spaces and what is in them' },
        { name: 'sharing', description: 'Members and invites' },
        { name: 'operation', description: 'For whoever runs the server' },
      ],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
    },
    hideUntagged: true,
    transform: jsonSchemaTransform,
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })
}

/** A route's `security`: an access token. */
export const bearer: readonly Record<string, readonly string[]>[] = [{ bearer: [] }]

/** The documented errors of a route, by status. */
export function errorResponses(...codes: readonly ErrorCode[]): Record<number, typeof errorResponseSchema> {
  const always: readonly ErrorCode[] = ['invalid_request', 'rate_limited', 'internal', 'unavailable']
  return Object.fromEntries(
    [...codes, ...always].map((code) => [errorCodes[code].status, errorResponseSchema]),
  )
}
