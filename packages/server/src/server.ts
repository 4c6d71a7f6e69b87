import { epochSchema, randomHexId } from '@t69/protocol'
import type { FastifyBaseLogger } from 'fastify'

import type { Config } from './config.ts'
import { basePathOf, stripBasePath } from './http/base-path.ts'
import { createHttpApp } from './http/http-app.ts'
import type { HttpApp, OwnRoutes } from './http/route.ts'
import { registerRoutes } from './http/routes.ts'
import { watchTcpConnections } from './http/tcp-connections.ts'
import { createUserLimits } from './limits/user-limits.ts'
import { createSqliteOpLogs } from './logs/sqlite-op-logs.ts'
import { createPrometheusMetrics } from './metrics/prometheus.ts'
import { keepTidy } from './platform/keep-tidy.ts'
import { createPasswords, type PasswordCost } from './platform/passwords.ts'
import { openPlatform } from './platform/platform.ts'
import { createSpaceDeletion } from './platform/space-deletion.ts'
import { createAccessTokens } from './platform/tokens.ts'
import { watchOtherWriters } from './platform/watch-other-writers.ts'
import { systemServerRuntime, type ServerRuntime } from './ports/server-runtime.ts'
import { createGateway } from './socket/gateway.ts'
import { attachSocketIo } from './socket/socket-io.ts'
import { createQuotas } from './spaces/quotas.ts'
import { createSpaces } from './spaces/spaces.ts'
import { createTreePool } from './trees/tree-pool.ts'

/**
 * Connections that may wait to be accepted, as far as the system allows. Thousands of devices may come back in one
 * second, and the system drops connections beyond the backlog without a word; their own systems try again after 1, 3,
 * 7, 15 and 31 s.
 */
const backlog = 4_096
/** How long clients have to read what they were sent, or to send the rest of a request, on shutdown, in ms. */
const closeGraceMs = 3_000

export interface Server {
  /** Fastify, for `inject` and its log. It has all of its routes: see `ServerOptions.routes` for your own. */
  readonly http: HttpApp
  /** The server's URL on this machine. Known once it listens. */
  readonly url: string
  readonly port: number
  /** Accepts connections. Throws `EADDRINUSE` and similar errors. */
  listen(): Promise<void>
  /**
   * Resolves, with the reason, when the server fails: `platform.sqlite` was replaced, moved or removed. The server
   * refuses everything from then on, and its caller has to close it.
   */
  readonly failed: Promise<Error>
  /**
   * Tells clients, finishes requests and commits under way, closes every file, and releases the data directory. Takes a
   * few seconds at most, even if a client does not read. Repeating it waits for the first call.
   */
  close(): Promise<void>
}

export interface ServerOptions {
  readonly logger?: FastifyBaseLogger
  readonly runtime?: ServerRuntime
  /** Cost of hashing a password, for tests. Default: `owaspCost`. */
  readonly passwordCost?: PasswordCost
  /**
   * Adds routes of your own, at any path that is free. They have the server's limits per address, headers, error bodies
   * and shutdown, and check no session. `app` is Fastify with zod schemas; what else you add to it (hooks, parsers) stays
   * among your routes. `createServer` rejects with what this throws, and for a path that is taken.
   *
   *     const routes = (app) => void app.get('/hello', async () => ({ hello: 'world' }))
   *     const server = await createServer(config, { routes })
   */
  readonly routes?: OwnRoutes
}

/**
 * Composes the server and opens its files. It listens after `listen`. Throws what `openPlatform` throws, and what the
 * file system throws.
 */
export async function createServer(config: Config, options: ServerOptions = {}): Promise<Server> {
  const runtime = options.runtime ?? systemServerRuntime
  const now = () => runtime.now()
  const lifecycle = { isClosing: false }
  const failed = Promise.withResolvers<Error>()

  // Closed in the opposite order: clients are told first, and files are closed last.
  await using opening = new AsyncDisposableStack()
  const { dataDir, sqliteSynchronous: synchronous, refreshTokenTtlMs, accessTokenTtlMs } = config
  const platform = opening.adopt(
    openPlatform({ dataDir, synchronous, refreshTokenTtlMs, signingSecret: config.jwtSecret, now }),
    (it) => it.close(),
  )
  const jwtSecret = platform.signingSecret
  const app = await createHttpApp({ config, jwtSecret, ...(options.logger && { logger: options.logger }) })
  const logger = app.log
  if (platform.setAside !== undefined) {
    const { setAside } = platform
    logger.warn({ setAside }, 'a write-ahead log does not belong to the platform database and is set aside')
  }
  const metrics = createPrometheusMetrics()
  const opLogs = createSqliteOpLogs({
    dataDir,
    synchronous,
    now,
    known: {
      has: (spaceId) => platform.spaceRecords.hasLog(spaceId),
      add: (spaceId) => platform.spaceRecords.noteLog(spaceId),
    },
    warn: (details, message) => logger.warn(details, message),
  })
  const trees = createTreePool({ dataDir, damaged: (spaceId) => opLogs.suspect(spaceId) })
  const spaces = opening.adopt(
    createSpaces({
      opLogs,
      epoch: epochSchema.parse(randomHexId()),
      maxOpen: config.maxOpenSpaces,
      runtime,
      logger,
      metrics,
      quotas: createQuotas({
        limits: config.quotas,
        payers: platform.spacePayers,
        bytesOf: (spaceId) => opLogs.bytesOf(spaceId),
        now,
      }),
      trees: trees.read,
      maxTreeOps: config.maxTreeOps,
    }),
    (it) => it.close(),
  )
  const connections = watchTcpConnections(app.server)
  opening.adopt(app, async (it) => {
    const cancel = runtime.setTimer(() => connections.destroyAll(), closeGraceMs)
    await it.close()
    cancel()
  })

  const tokens = createAccessTokens({ jwt: app.jwt, sessions: platform.sessions, accessTokenTtlMs, now })
  const userLimits = createUserLimits(config.userLimits, now)
  const gateway = createGateway({
    spaces,
    access: platform.members,
    tokens,
    runtime,
    logger,
    metrics,
    limits: config.socketLimits,
    userLimits,
  })
  metrics.gauge('connections', 'Sockets that are connected', () => gateway.size)
  metrics.gauge('open_spaces', 'Spaces whose files are open', () => spaces.size)
  const { corsOrigins: corsOrigin, trustProxy, pings } = config
  const addressLimits = { trustProxy, perAddress: config.rateLimits.socketsPerAddress }
  opening.adopt(
    attachSocketIo(app.server, { gateway, tokens, corsOrigin, addressLimits, pings, logger }),
    (it) => it.close(),
  )
  stripBasePath(app.server, basePathOf(config.publicUrl))
  opening.adopt(gateway, (it) => it.close())
  // Closed before the gateway, which waits for the requests under way.
  opening.adopt(trees, (it) => it.close())

  const spaceDeletion = createSpaceDeletion({
    records: platform.spaceRecords,
    closeSockets: (spaceId) => gateway.spaceDeleted(spaceId),
    removeFile: (spaceId) => spaces.delete(spaceId),
    logger,
  })
  spaceDeletion.finishAll()
  const passwords = createPasswords(options.passwordCost)
  await registerRoutes(
    app,
    {
      config,
      platform,
      passwords,
      tokens,
      spaces,
      userLimits,
      spaceDeletion,
      liveSockets: gateway,
      now,
      metrics,
      lifecycle,
    },
    options.routes,
  )
  await app.ready()

  opening.defer(keepTidy(platform, runtime))
  opening.defer(
    watchOtherWriters(
      { platform, runtime, logger },
      {
        wrote: () =>
          gateway.accessReviewed(
            ({ sessionId, userId }) => platform.sessions.userOf(sessionId, now()) === userId,
          ),
        displaced: (error) => {
          lifecycle.isClosing = true
          failed.resolve(error)
        },
      },
    ),
  )
  const resources = opening.move()
  let closed: Promise<void> | undefined

  return {
    http: app,
    failed: failed.promise,
    get url() {
      return `http://${shownHost(config.host)}:${port()}`
    },
    get port() {
      return port()
    },
    async listen() {
      await app.listen({
        port: config.port,
        // For `localhost` Fastify would open a second server, for IPv6, which Socket.io would not serve.
        host: config.host === 'localhost' ? '127.0.0.1' : config.host,
        backlog,
      })
    },
    close() {
      lifecycle.isClosing = true
      closed ??= resources.disposeAsync()
      return closed
    },
  }

  function port(): number {
    const address = app.server.address()
    return typeof address === 'object' && address !== null ? address.port : config.port
  }
}

function shownHost(host: string): string {
  if (['127.0.0.1', '0.0.0.0', '::', '::1'].includes(host)) return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}
