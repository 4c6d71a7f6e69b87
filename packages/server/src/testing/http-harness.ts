import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  sessionSchema,
  spaceIdSchema,
  SyncError,
  treeIdSchema,
  type Role,
  type RoleName,
  type SessionReply,
  type SpaceId,
  type TreeSnapshot,
  type User,
} from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import type { FastifyBaseLogger } from 'fastify'

import { type AdministrationDeps, createAdministration } from '../admin/administration.ts'
import { parseConfig, type Config } from '../config.ts'
import { createHttpApp } from '../http/http-app.ts'
import type { HttpApp } from '../http/route.ts'
import { registerRoutes } from '../http/routes.ts'
import { createUserLimits } from '../limits/user-limits.ts'
import { createSmtpMailer } from '../mail/smtp-mailer.ts'
import { createPrometheusMetrics } from '../metrics/prometheus.ts'
import { createOidcProvider } from '../oidc/oidc-provider.ts'
import { checkCommits } from '../platform/check-commits.ts'
import { createPasswords } from '../platform/passwords.ts'
import { openPlatform, type Platform } from '../platform/platform.ts'
import { createSpaceDeletion, type SpaceDeletion } from '../platform/space-deletion.ts'
import { createAccessTokens } from '../platform/tokens.ts'
import { silentLogger } from '../ports/logger.ts'
import { createMergedAccess } from '../spaces/merged-access.ts'

export const cheapPasswords = { memoryCost: 8, timeCost: 1, parallelism: 1 }
export const password = 'correct horse'

export interface Person {
  readonly user: User
  readonly session: SessionReply
  /** Calls as this person: takes a JSON body, and returns status and JSON body. */
  call(method: Method, url: string, body?: object): Promise<Reply>
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
export interface Reply {
  readonly status: number
  // For a test to parse, or to compare with `toMatchObject`.
  readonly body: unknown
}

/** The HTTP routes over a real platform database. Calls to live sockets and to space files are recorded. */
export interface HttpHarness extends AsyncDisposable {
  readonly app: HttpApp
  readonly platform: Platform
  readonly spaceDeletion: SpaceDeletion
  readonly dataDir: string
  /** Calls to live sockets and removed files, in order. */
  readonly told: string[]
  /** The details of each warning that was logged. */
  readonly warnings: object[]
  /** The details of each error that was logged. */
  readonly errors: object[]
  readonly trees: Map<string, TreeSnapshot>
  /** The sockets that are connected, the newest first. */
  readonly sockets: ReturnType<AdministrationDeps['live']['sockets']>[number][]
  /** Spaces whose storage fails. */
  readonly failing: Map<SpaceId, number>
  readonly lifecycle: { isClosing: boolean }
  readonly clock: { now: number }
  /** Whether so many strangers sign in that no more of them can be served. */
  readonly crowd: { isThere: boolean }
  /** Runs while an admin's deletion of an account asks logs about its members. */
  readonly logs: { asked: () => void }
  /** Resolves when logs have kept the changes of members. */
  readonly keeping: { promise: Promise<void> }
  /** Resolves when the next password is about to be checked. */
  passwordAsked(): Promise<void>
  /** Makes the next removal of a space's file fail. */
  failNextRemoval(): void
  signUp(name: string): Promise<Person>
  anonymous: Person['call']
  withToken(token: string): Person['call']
  /** Adds a space with its owner and members, and returns its id. */
  space(owner: Person, members?: readonly (readonly [Person, Role])[]): SpaceId
  /** Gives a member a role that this version does not know, as a newer version's database may have. */
  setUnknownRole(spaceId: SpaceId, member: Person, role: RoleName): void
}

export async function createHttpHarness(
  env: Readonly<Record<string, string>> = {},
  overrides: Partial<Config> = {},
): Promise<HttpHarness> {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-http-'))
  const config = {
    ...parseConfig({
      DATA_DIR: dataDir,
      LOG_LEVEL: 'silent',
      STATIC_DIR: join(dataDir, 'no-app'),
      SQLITE_SYNCHRONOUS: 'normal',
      SIGN_IN_LIMIT_PER_ADDRESS: '10000',
      REGISTRATION: 'open',
      ...env,
    }),
    ...overrides,
  }
  const clock = { now: Date.parse('2026-01-01') }
  const told: string[] = []
  const warnings: object[] = []
  const errors: object[] = []
  const trees = new Map<string, TreeSnapshot>()
  const sockets: HttpHarness['sockets'] = []
  const failing: HttpHarness['failing'] = new Map()
  const lifecycle = { isClosing: false }
  const passwords = createPasswords('strangers', cheapPasswords)
  const crowd = { isThere: false }
  const logs = { asked: () => {} }
  const asked: (() => void)[] = []
  let failRemoval = false
  const keeping = { promise: Promise.resolve() }

  const platform = openPlatform({
    dataDir,
    synchronous: config.sqliteSynchronous,
    refreshTokenTtlMs: config.refreshTokenTtlMs,
    signingSecret: config.jwtSecret,
  })
  platform.accessLists.onChange((spaceIds) => told.push(...spaceIds.map((id) => `accessChanged ${id}`)))
  const app = await createHttpApp({
    config,
    jwtSecret: 'a secret for tests, 32 characters',
    monotonic: () => clock.now,
    logger: loggerOf(warnings, errors),
  })
  const now = () => clock.now
  const tokens = createAccessTokens({
    jwt: app.jwt,
    sessions: platform.sessions,
    accessTokenTtlMs: config.accessTokenTtlMs,
    clock: { now, latest: now },
  })
  const spaceDeletion = createSpaceDeletion({
    records: platform.spaceRecords,
    closeSockets: (spaceId) => told.push(`spaceDeleted ${spaceId}`),
    removeFile: async (spaceId) => {
      if (failRemoval) {
        failRemoval = false
        throw new Error('the disk is busy')
      }
      told.push(`fileRemoved ${spaceId}`)
    },
    logger: silentLogger,
  })
  const access = createMergedAccess({
    accounts: platform.members,
    spaces: { withLog: async (ids) => ids, keepAccess: async () => {} },
    records: platform.spaceRecords,
  })
  const administration = createAdministration({
    dataDir,
    platform,
    passwords,
    registrationSetting: config.registration,
    spaceDeletion,
    reviewSessions: () => void told.push('sessionsReviewed'),
    askLogsOf: async () => logs.asked(),
    running: () => null,
    now,
    logger: silentLogger,
    live: {
      startedAt: clock.now,
      openSpaces: () => 0,
      connections: () => sockets.length,
      sockets: ({ before, limit }) => sockets.filter(({ nr }) => nr < before).slice(0, limit),
      failing,
      files: () => ({ setAside: [] }),
      heldUpMs: () => 0,
    },
  })
  const mailer = config.mail && createSmtpMailer(config.mail)
  await registerRoutes(app, {
    config,
    mailer,
    provider: config.oidc && createOidcProvider(config.oidc),
    platform,
    access,
    administration,
    keptLists: { begin: () => () => keeping.promise },
    passwords: {
      async hash(text) {
        checkRoom()
        return passwords.hash(text)
      },
      async verify(hash, text) {
        checkRoom()
        return verify(hash, text)
      },
    },
    passwordsOfKnown: { hash: (text) => passwords.hash(text), verify },
    tokens,
    spaces: {
      async readTree({ treeId }) {
        const tree = trees.get(treeId)
        if (tree === undefined) throw new SyncError('not_found', 'No such tree')
        return JSON.stringify(tree)
      },
    },
    userLimits: createUserLimits(config.userLimits, now),
    spaceDeletion,
    liveSockets: {
      sessionEnded: (sessionId) => told.push(`sessionEnded ${sessionId}`),
    },
    now,
    monotonic: now,
    // In the order of the calls, however long they are to wait.
    setTimer: (callback) => {
      const timer = setImmediate(callback)
      return () => clearImmediate(timer)
    },
    checkCommits: () => checkCommits({ dataDir, threadsAnswer: async () => {} }),
    metrics: createPrometheusMetrics(),
    lifecycle,
  })
  await app.ready()

  function verify(hash: string | undefined, text: string) {
    for (const resolve of asked.splice(0)) resolve()
    return passwords.verify(hash, text)
  }

  function checkRoom(): void {
    if (crowd.isThere)
      throw new SyncError('unavailable', 'Too many people are signing in: try again in a moment')
  }

  function withToken(token: string | undefined): Person['call'] {
    return async (method, url, body) => {
      const response = await app.inject({
        method,
        url,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        ...(body !== undefined && { payload: body }),
      })
      return {
        status: response.statusCode,
        body: response.body === '' ? undefined : (JSON.parse(response.body) as unknown),
      }
    }
  }

  let spaces = 0
  return {
    app,
    platform,
    spaceDeletion,
    dataDir,
    told,
    warnings,
    errors,
    trees,
    sockets,
    failing,
    lifecycle,
    clock,
    crowd,
    logs,
    keeping,
    passwordAsked: () => new Promise((resolve) => void asked.push(resolve)),
    failNextRemoval: () => {
      failRemoval = true
    },
    anonymous: withToken(undefined),
    withToken,
    async signUp(name) {
      const email = `${name.toLowerCase()}@example.org`
      const response = await withToken(undefined)('POST', '/api/auth/register', { email, password, name })
      const session = sessionSchema.parse(response.body)
      return { user: session.user, session, call: withToken(session.accessToken) }
    },
    space(owner, members = []) {
      const id = spaceIdSchema.parse(String(++spaces).padStart(32, '0'))
      platform.spaceRecords.add({ id, name: 'Shared' }, owner.user.id, clock.now)
      for (const [person, role] of members) platform.members.add(id, person.user.id, role, ++clock.now)
      told.splice(0)
      return id
    },
    setUnknownRole(spaceId, member, role) {
      const db = new Sqlite(join(dataDir, 'platform.sqlite'))
      db.pragma('ignore_check_constraints = on')
      const update = db.prepare('update members set role = ? where space_id = ? and user_id = ?')
      update.run(role, spaceId, member.user.id)
      db.close()
    },
    async [Symbol.asyncDispose]() {
      await app.close()
      platform.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

export function treeOf(spaceId: SpaceId, name: string): TreeSnapshot {
  const treeId = treeIdSchema.parse(name)
  const vertices = [{ id: treeId, parentId: null, properties: { name } }]
  return { spaceId, treeId, cursor: 1, commit: { userId: null, at: 0 }, digest: 'd', vertices }
}

function loggerOf(warnings: object[], errors: object[]): FastifyBaseLogger {
  const nothing = (): void => {}
  const into = (kept: object[]) => (details: unknown) =>
    void (typeof details === 'object' && details !== null && kept.push(details))
  const logger: FastifyBaseLogger = {
    level: 'warn',
    silent: nothing,
    trace: nothing,
    debug: nothing,
    info: nothing,
    warn: into(warnings),
    error: into(errors),
    fatal: nothing,
    child: () => logger,
  }
  return logger
}
