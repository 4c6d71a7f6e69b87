import { basename } from 'node:path'

import { epochSchema, protocolVersion, randomHexId, spaceIdSchema, type UserId } from '@t69/protocol'
import type { FastifyBaseLogger } from 'fastify'

import { createAdministration } from './admin/administration.ts'
import { type AdminDeps, createAdmin } from './admin/create-admin.ts'
import { serveAdmin } from './admin/serve-admin.ts'
import type { Config } from './config.ts'
import { watchEventLoop } from './event-loop.ts'
import { basePathOf, stripBasePath } from './http/base-path.ts'
import { createHttpApp } from './http/http-app.ts'
import { limitConnections } from './http/limit-connections.ts'
import type { HttpApp, OwnRoutes } from './http/route.ts'
import { registerRoutes } from './http/routes.ts'
import { watchTcpConnections } from './http/tcp-connections.ts'
import { openFilesLimit, shareOpenFiles } from './limits/open-files.ts'
import { createUserLimits } from './limits/user-limits.ts'
import { createSmtpMailer } from './mail/smtp-mailer.ts'
import { measureServer } from './measure-server.ts'
import { createPrometheusMetrics } from './metrics/prometheus.ts'
import { createOidcProvider } from './oidc/oidc-provider.ts'
import { checkCommits } from './platform/check-commits.ts'
import { claimDataDir } from './platform/claim-data-dir.ts'
import { keepFilesTidy } from './platform/keep-files-tidy.ts'
import { keepTidy } from './platform/keep-tidy.ts'
import { createPasswords, type PasswordCost } from './platform/passwords.ts'
import { openPlatform } from './platform/platform.ts'
import { createServerClock } from './platform/server-clock.ts'
import { createSpaceDeletion } from './platform/space-deletion.ts'
import { createAccessTokens } from './platform/tokens.ts'
import { watchOtherWriters } from './platform/watch-other-writers.ts'
import { systemServerRuntime, type ServerRuntime } from './ports/server-runtime.ts'
import { serverVersion } from './ports/version.ts'
import { createGateway } from './socket/gateway.ts'
import { attachSocketIo } from './socket/socket-io.ts'
import { createKeptLists } from './spaces/kept-lists.ts'
import { createMergedAccess } from './spaces/merged-access.ts'
import { createQuotas } from './spaces/quotas.ts'
import { readFilesThrough } from './spaces/read-files-through.ts'
import { openReadMark } from './spaces/read-mark.ts'
import { createSpaces } from './spaces/spaces.ts'
import { boundOpenLogs } from './storage/bounded-storage.ts'
import { createFileExaminer } from './storage/examine-files.ts'
import { createStorageThreads } from './storage/storage-threads.ts'
import { createTreePool } from './trees/tree-pool.ts'

/**
 * Connections that may wait to be accepted, as far as the system allows. Thousands of devices may come back in one
 * second, and the system drops connections beyond the backlog without a word; their own systems try again after 1, 3,
 * 7, 15 and 31 s.
 */
const backlog = 4_096
/** Spaces that may still be closing while others are opened in their place. */
const closingSpaces = 4
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
   * Resolves, with the reason, when the server fails: `platform.sqlite` was replaced, moved or removed, or only opening it
   * anew can help, or another server has taken the directory. The server refuses everything from then on, and its caller has to close it.
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
  /** Files that the process may have open, for tests. Default: what the system says. */
  readonly openFilesLimit?: number
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
  const machine = options.runtime ?? systemServerRuntime
  const { monotonic } = machine
  const lifecycle = { isClosing: false }
  const failed = Promise.withResolvers<Error>()

  // Closed in the opposite order: clients are told first, and files are closed last.
  await using opening = new AsyncDisposableStack()
  const { dataDir, sqliteSynchronous: synchronous, refreshTokenTtlMs, accessTokenTtlMs } = config
  opening.use(await claimDataDir(dataDir))
  const platform = opening.adopt(
    openPlatform({
      dataDir,
      synchronous,
      refreshTokenTtlMs,
      signingSecret: config.jwtSecret,
      now: () => machine.now(),
    }),
    (it) => it.close(),
  )
  const jwtSecret = platform.signingSecret
  const metrics = createPrometheusMetrics()
  const app = await createHttpApp({
    config,
    jwtSecret,
    monotonic,
    metrics,
    ...(options.logger && { logger: options.logger }),
  })
  const logger = app.log
  logger.info({ version: serverVersion, protocolVersion, dataDir }, 't69 starts')
  if (platform.setAside !== undefined) {
    const { setAside } = platform
    logger.warn({ setAside }, 'a write-ahead log does not belong to the platform database and is set aside')
  }
  const chosen = platform.registrationChoice.read()
  if (chosen !== undefined)
    logger.info(
      { registration: chosen.mode, setting: config.registration },
      'a command has chosen who may sign up, and REGISTRATION does not count',
    )
  const { maxOpenSpaces, storageThreads: threads } = config
  const openFiles = shareOpenFiles(options.openFilesLimit ?? openFilesLimit(), { maxOpenSpaces, threads })
  if (openFiles.spaces < maxOpenSpaces) {
    logger.warn(
      { ...openFiles, maxOpenSpaces },
      'the limit of open files (ulimit -n) leaves no more files for spaces: fewer are open than MAX_OPEN_SPACES',
    )
  } else logger.info(openFiles, 'open files are shared out')
  const stored = platform.storedTimes
  const clock = opening.adopt(createServerClock({ runtime: machine, stored, logger, metrics }), (it) =>
    it.stop(),
  )
  metrics.gauge('clock_ahead_seconds', "How far the machine's clock is ahead of the server's", () =>
    Math.round(clock.aheadMs() / 1000),
  )
  // Everything below goes by the server's clock.
  const { now } = clock
  const runtime = { ...machine, now }
  const userLimits = createUserLimits(config.userLimits, monotonic)
  const spent = (userId: UserId, ms: number): void => userLimits.of(userId).spendTime(ms)
  const trees = createTreePool({ dataDir, damaged: (spaceId) => storage.suspect(spaceId), spent })
  const storage = opening.adopt(
    createStorageThreads({
      dataDir,
      synchronous,
      epoch: epochSchema.parse(randomHexId()),
      threads: config.storageThreads,
      now,
      known: {
        has: (spaceId) => platform.spaceRecords.hasLog(spaceId),
        add: (spaceId) => platform.spaceRecords.noteLog(spaceId),
        identityOf: (spaceId) => platform.spaceRecords.identityOf(spaceId),
      },
      readTree: trees.read,
      warn: (details, message) => logger.warn(details, message),
      monotonic,
      spent,
    }),
    (it) => it.close(),
  )
  const bounded = boundOpenLogs(storage, openFiles.spaces + closingSpaces)
  const spaces = opening.adopt(
    createSpaces({
      storage: bounded,
      maxOpen: openFiles.spaces,
      runtime,
      logger,
      metrics,
      quotas: createQuotas({
        limits: config.quotas,
        payers: platform.spacePayers,
        bytesOf: (spaceIds) => storage.bytesOf(spaceIds),
        monotonic,
      }),
      access: platform.accessLists,
      foundDeleted: (spaceId) => {
        // Deleted a moment ago, while somebody waited for it.
        if (platform.accessLists.of(spaceId) === undefined) return
        logger.warn({ spaceId }, 'a space was deleted after the accounts were copied, and is deleted again')
        spaceDeletion.delete(spaceId, now()).catch((error: unknown) => {
          logger.error(
            { err: error, spaceId },
            'a space could not be deleted again: the next attempt to open it tries once more',
          )
        })
      },
      maxTreeOps: config.maxTreeOps,
    }),
    (it) => it.close(),
  )
  const connections = watchTcpConnections(app.server)
  limitConnections(app.server, openFiles.connections, {
    logger,
    monotonic,
    dropped: () => metrics.connectionDropped(),
  })
  opening.adopt(app, async (it) => {
    const cancel = runtime.setTimer(() => connections.destroyAll(), closeGraceMs)
    await it.close()
    cancel()
  })

  const mailer = config.mail && opening.adopt(createSmtpMailer(config.mail), (it) => it.close())
  const tokens = createAccessTokens({ jwt: app.jwt, sessions: platform.sessions, accessTokenTtlMs, clock })
  const gateway = createGateway({
    spaces,
    access: platform.members,
    accessLists: platform.accessLists,
    tokens,
    runtime,
    logger,
    metrics,
    limits: config.socketLimits,
    userLimits,
  })
  const { corsOrigins: corsOrigin, trustProxy, pings } = config
  const addressLimits = { trustProxy, perAddress: config.rateLimits.socketsPerAddress }
  opening.adopt(
    attachSocketIo(app.server, { gateway, tokens, corsOrigin, addressLimits, pings, runtime, logger }),
    (it) => it.close(),
  )
  stripBasePath(app.server, basePathOf(config.publicUrl))
  opening.adopt(gateway, (it) => it.close())
  // Closed before the gateway, which waits for the requests under way.
  opening.adopt(trees, (it) => it.close())

  const keptLists = createKeptLists({ spaces, logger })
  platform.accessLists.onChange((spaceIds) => {
    for (const spaceId of spaceIds) gateway.accessChanged(spaceId)
    keptLists.keep(spaceIds)
  })
  const spaceDeletion = createSpaceDeletion({
    records: platform.spaceRecords,
    closeSockets: (spaceId) => gateway.spaceDeleted(spaceId),
    removeFile: (spaceId) => spaces.delete(spaceId),
    logger,
  })
  await spaceDeletion.finishAll()
  const access = createMergedAccess({ accounts: platform.members, spaces, records: platform.spaceRecords })
  const passwordsOfKnown = createPasswords('known', options.passwordCost)
  const canCommit = (): Promise<void> => checkCommits({ dataDir, threadsAnswer: () => storage.answers() })
  const files = opening.adopt(
    keepFilesTidy({ dataDir, keepMs: config.keepSetAsideMs, clock, runtime, logger }),
    (it) => it.stop(),
  )
  const reviewSessions = (): void =>
    gateway.accessReviewed(({ sessionId, userId }) => platform.sessions.userOf(sessionId, now()) === userId)
  const startedAt = now()
  const adminDeps: AdminDeps = {
    dataDir,
    platform,
    passwords: passwordsOfKnown,
    registrationSetting: config.registration,
    spaceDeletion,
    reviewSessions,
    askLogsOf: (userId) =>
      access.askAll(
        userId,
        platform.spaceRecords.listFor(userId).map(({ id }) => id),
      ),
    running: () => ({ pid: process.pid, startedAt, connections: gateway.size, openSpaces: spaces.size }),
    now,
    logger,
  }
  const eventLoop = opening.adopt(watchEventLoop(monotonic), (it) => it.stop())
  const administration = createAdministration({
    ...adminDeps,
    live: {
      startedAt,
      openSpaces: () => spaces.size,
      connections: () => gateway.size,
      sockets: (page) => gateway.connections(page),
      failing: spaces.failing,
      files: () => files.found,
      heldUpMs: () => eventLoop.heldUpMs(),
    },
  })
  await registerRoutes(
    app,
    {
      config,
      platform,
      access,
      keptLists,
      passwords: createPasswords('strangers', options.passwordCost),
      passwordsOfKnown,
      tokens,
      spaces,
      userLimits,
      spaceDeletion,
      administration,
      liveSockets: gateway,
      mailer,
      provider: config.oidc && createOidcProvider(config.oidc),
      now,
      monotonic,
      setTimer: runtime.setTimer,
      metrics,
      checkCommits: canCommit,
      lifecycle,
    },
    options.routes,
  )
  await app.ready()

  opening.defer(keepTidy({ platform, clock, runtime, logger }))
  const examiner = createFileExaminer()
  const stopReading = readFilesThrough({
    examiner,
    paths: () => files.found.spacePaths,
    everyMs: config.readFilesEveryMs,
    mark: await openReadMark(dataDir),
    damaged: async (path) => {
      const { data: spaceId } = spaceIdSchema.safeParse(basename(path, '.db'))
      if (spaceId === undefined || !platform.spaceRecords.exists(spaceId)) return
      storage.suspect(spaceId)
      await spaces.reopen(spaceId)
    },
    runtime,
    logger,
    metrics,
  })
  opening.defer(async () => {
    const stopped = stopReading()
    await examiner.close()
    await stopped
  })
  measureServer(metrics, {
    dataDir,
    openFiles,
    platform,
    now,
    gateway,
    spaces,
    openings: bounded,
    connections,
    files: () => files.found,
    spaceQuotaBytes: config.quotas.spaceBytes,
    checkCommits: canCommit,
    monotonic,
  })
  opening.adopt(await serveAdmin(dataDir, createAdmin(adminDeps), logger), (it) => it.close())
  opening.defer(
    watchOtherWriters(
      { platform, runtime, logger },
      {
        wrote: () => {
          access.forget()
          void spaces.reviewAccess()
          platform.accessLists.announce()
          reviewSessions()
        },
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
      storage.start()
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
