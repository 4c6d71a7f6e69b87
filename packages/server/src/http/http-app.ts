import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import Fastify, { LogController, type FastifyBaseLogger } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'

import { type Metrics, noMetrics } from '../ports/metrics.ts'
import { createIsTrustedProxy } from '../ports/trusted-proxies.ts'
import { basePathOf } from './base-path.ts'
import { contentSecurityPolicy } from './content-security-policy.ts'
import { handleError } from './error-handler.ts'
import type { HttpConfig } from './http-config.ts'
import { standardLog } from './log-stream.ts'
import { registerOpenApi } from './openapi.ts'
import { answerParserError, answerParserErrors, leaveAnswersToUs } from './parser-errors.ts'
import { rateLimitDefaults } from './rate-limits.ts'
import { logAnswer } from './request-log.ts'
import type { HttpApp } from './route.ts'

export interface HttpAppOptions {
  readonly config: HttpConfig
  readonly jwtSecret: string
  /** Milliseconds, of a clock that nobody sets: for rates. */
  readonly monotonic: () => number
  readonly logger?: FastifyBaseLogger
  readonly metrics?: Pick<Metrics, 'answered' | 'refused'>
}

/** Fastify without the routes. Its JWT plugin signs tokens, which the routes' dependencies need first. */
export async function createHttpApp({
  config,
  jwtSecret,
  monotonic,
  logger,
  metrics = noMetrics,
}: HttpAppOptions): Promise<HttpApp> {
  const app = Fastify({
    ...(logger === undefined
      ? { logger: { level: config.logLevel, stream: standardLog } }
      : { loggerInstance: logger }),
    // The hook below logs requests instead, without the URL, which may hold an invite's token.
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: createIsTrustedProxy(config.trustProxy),
    // The largest body is a name and a password.
    bodyLimit: 64 * 1024,
    requestTimeout: 60_000,
    // An unread answer waits in memory, so connections must end. Long polling is idle between two pings.
    connectionTimeout: 60_000 + config.pings.intervalMs,
    // While closing, a hook in `registerRoutes` answers, with an `ErrorBody` like all errors.
    return503OnClosing: false,
    // For errors before a route is found, such as a URL that does not decode.
    frameworkErrors: handleError,
    http: leaveAnswersToUs,
    clientErrorHandler: (error, socket) => answerParserError(error, socket, app.log),
  }).withTypeProvider<ZodTypeProvider>()

  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(handleError)
  acceptEmptyBodies(app)
  answerParserErrors(app)
  app.addHook('onSend', async (request, reply) => {
    // Accounts, members, whole trees: no cache may keep what the API says.
    // By its route: the URL may have it percent-encoded.
    const isOurs = /^\/(?:api|health|ready|metrics)(?:\/|$)/.test(request.routeOptions.url ?? '')
    if (isOurs && !reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store')
  })
  app.addHook('onResponse', (request, reply, done) => {
    logAnswer(request, reply, metrics)
    done()
  })

  await app.register(cookie)
  await app.register(jwt, {
    secret: jwtSecret,
    sign: { algorithm: 'HS256' },
    verify: { algorithms: ['HS256'] },
  })
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: contentSecurityPolicy },
    // The proxy that terminates TLS decides on it, for the whole domain.
    strictTransportSecurity: false,
  })
  if (config.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...config.corsOrigins],
      credentials: true,
      methods: ['GET', 'POST', 'PATCH', 'DELETE'],
      // A page's script reads it, to ask for a list again only if that has changed.
      exposedHeaders: ['etag'],
      maxAge: 600,
    })
  }
  await app.register(rateLimit, rateLimitDefaults(app, config, monotonic))
  await registerOpenApi(app, basePathOf(config.publicUrl))
  return app
}

/** Accepts an empty body as JSON: some clients always send the content type. */
function acceptEmptyBodies(app: HttpApp): void {
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (body === '') done(null, undefined)
    else void parseJson(request, body, done)
  })
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.routeOptions.schema?.body !== undefined) request.body ??= {}
    done()
  })
}
