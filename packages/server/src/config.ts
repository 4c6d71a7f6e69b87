import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { registrationModeSchema } from '@t69/protocol'
import { z } from 'zod'

import {
  bearerToken,
  duration,
  httpOrigin,
  isSecret,
  issuerUrl,
  list,
  mailSender,
  publicUrl,
  secret,
  size,
  smtpUrl,
  trustProxy,
  unitBytes,
  unitMs,
  wholeNumber,
} from './config-values.ts'
import type { HttpConfig } from './http/http-config.ts'
import { defaultUserLimits, type UserLimitRates, userLimitsOf } from './limits/user-limits.ts'
import type { OidcSettings } from './oidc/oidc-provider.ts'
import type { GatewayLimits } from './socket/gateway-limits.ts'
import type { QuotaLimits } from './spaces/quotas.ts'

/** The environment is wrong. `message` names every bad value, one a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** A line for each setting that is wrong, by its name. */
  readonly problems: ReadonlyMap<string, string>

  constructor(message: string, problems: ReadonlyMap<string, string> = new Map()) {
    super(message)
    this.problems = problems
  }

  static of(problems: ReadonlyMap<string, string>): ConfigError {
    return new ConfigError(['the configuration is wrong:', ...problems.values()].join('\n'), problems)
  }
}

/** Where the app is built: three folders up, both from `src` and from `dist`. */
const builtApp = fileURLToPath(new URL('../../../apps/t69/dist', import.meta.url))

const settings = z.object({
  PORT: wholeNumber(0, 65_535).default(3000),
  HOST: z.string().default('127.0.0.1'),
  DATA_DIR: z.string().default('./data'),
  PUBLIC_URL: publicUrl.optional(),
  JWT_SECRET: secret.optional(),
  ACCESS_TOKEN_TTL: duration.default(15 * unitMs.m),
  REFRESH_TOKEN_TTL: duration.default(30 * unitMs.d),
  TRUST_PROXY: trustProxy.default(false),
  CORS_ORIGIN: list.pipe(z.array(httpOrigin)).default([]),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  SQLITE_SYNCHRONOUS: z.enum(['full', 'normal']).default('full'),
  MAX_OPEN_SPACES: wholeNumber(1, 100_000).default(500),
  STORAGE_THREADS: wholeNumber(1, 64).default(3),
  KEEP_SET_ASIDE: duration.default(365 * unitMs.d),
  READ_FILES_INTERVAL: duration.default(7 * unitMs.d),
  STATIC_DIR: z.string().default(builtApp),
  PING_INTERVAL: duration.default(25 * unitMs.s),
  PING_TIMEOUT: duration.default(20 * unitMs.s),
  METRICS_TOKEN: bearerToken.optional(),
  REGISTRATION: registrationModeSchema.default('invite'),
  SIGN_IN_LIMIT_PER_ADDRESS: wholeNumber(1, 1_000_000).default(60),
  SIGN_IN_LIMIT_PER_ACCOUNT: wholeNumber(1, 1_000_000).default(20),
  REQUEST_LIMIT_PER_ADDRESS: wholeNumber(1, 1_000_000).default(1200),
  SOCKET_LIMIT_PER_ADDRESS: wholeNumber(1, 1_000_000).default(10_000),
  SOCKET_LIMIT_PER_USER: wholeNumber(1, 1_000_000).default(defaultUserLimits.sockets),
  REQUESTS_PER_SECOND_AND_SOCKET: wholeNumber(1, 1_000_000).default(200),
  REQUESTS_PER_SECOND_AND_USER: wholeNumber(1, 1_000_000).default(defaultUserLimits.requests.perSecond),
  SIGNALS_PER_SECOND_AND_SOCKET: wholeNumber(1, 1_000_000).default(100),
  SIGNALS_PER_SECOND_AND_USER: wholeNumber(1, 1_000_000).default(defaultUserLimits.signals.perSecond),
  BYTES_PER_SECOND_AND_USER: size.default(defaultUserLimits.bytes.perSecond),
  OPERATIONS_PER_SECOND_AND_USER: wholeNumber(1_000, 100_000_000).default(
    defaultUserLimits.operations.perSecond,
  ),
  TREE_READ_LIMIT: wholeNumber(1, 100_000_000).default(200_000),
  // Three times as much, which undoing deletes may reach, still fits into a heap of 512 MB: see docs/measurements.md.
  SPACE_QUOTA_OPERATIONS: wholeNumber(1, 999_999_999).default(400_000),
  SPACE_QUOTA_BYTES: size.default(256 * unitBytes.MB),
  USER_QUOTA_BYTES: size.default(10 * unitBytes.GB),
  USER_QUOTA_SPACES: wholeNumber(1, 999_999_999).default(2_000),
  REQUEST_LIMIT_PER_USER: wholeNumber(1, 1_000_000).default(1200),
  SMTP_URL: smtpUrl.optional(),
  MAIL_FROM: mailSender.optional(),
  OIDC_ISSUER: issuerUrl.optional(),
  OIDC_CLIENT_ID: z.string().optional(),
  OIDC_CLIENT_SECRET: z.string().optional(),
  OIDC_NAME: z.string().trim().max(40, 'must have at most 40 characters').optional(),
})

/** The settings, by the names of their variables. */
export const environment = settings.check(({ value, issues }) => {
  const needs = (name: keyof typeof value, message: string): void => {
    if (value[name] === undefined) issues.push({ code: 'custom', path: [name], message, input: value })
  }
  if (value.SMTP_URL !== undefined) {
    needs('MAIL_FROM', 'must be set where SMTP_URL is: mail has a sender')
    needs('PUBLIC_URL', 'must be set where SMTP_URL is: mail has links to it')
  }
  if (value.OIDC_ISSUER !== undefined) {
    needs('OIDC_CLIENT_ID', 'must be set where OIDC_ISSUER is: the provider gives it')
    needs('OIDC_CLIENT_SECRET', 'must be set where OIDC_ISSUER is: the provider gives it')
    needs('PUBLIC_URL', 'must be set where OIDC_ISSUER is: people come back to it')
  }
})

export interface Config extends HttpConfig {
  /** 0 takes any free port. */
  readonly port: number
  readonly host: string
  /** Absolute. */
  readonly dataDir: string
  /** Signs access tokens. Without one, the server makes one and keeps it in the data directory. */
  readonly jwtSecret: string | undefined
  readonly accessTokenTtlMs: number
  readonly sqliteSynchronous: 'full' | 'normal'
  readonly maxOpenSpaces: number
  /** Threads that write spaces' files. */
  readonly storageThreads: number
  /** How long files that were set aside are kept. */
  readonly keepSetAsideMs: number
  /** How often each file of a space is read through. */
  readonly readFilesEveryMs: number
  readonly rateLimits: HttpConfig['rateLimits'] & {
    /** Open connections of one address. */
    readonly socketsPerAddress: number
  }
  readonly socketLimits: Pick<
    GatewayLimits,
    'requestsPerSecond' | 'requestBurst' | 'signalsPerSecond' | 'signalBurst'
  >
  readonly userLimits: UserLimitRates
  /** Operations of a tree that may be read or compared through the server. */
  readonly maxTreeOps: number
  readonly quotas: HttpConfig['quotas'] & QuotaLimits
  /** How mail is sent; undefined if none is. */
  readonly mail: MailConfig | undefined
  /** Where people may sign in; undefined if only here. */
  readonly oidc: OidcSettings | undefined
}

export interface MailConfig {
  /** With name and password. */
  readonly smtpUrl: string
  readonly from: string
  /** `PUBLIC_URL`: where the links in mail lead. What a request says of the server's address does not count here. */
  readonly publicUrl: string
}

/** Reads the configuration from the environment. An empty value counts as absent. Throws `ConfigError`. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim() !== ''))
  const parsed = environment.safeParse(given)
  if (!parsed.success) throw ConfigError.of(problemsOf(parsed.error, given))
  const values = parsed.data
  return {
    port: values.PORT,
    host: values.HOST,
    dataDir: resolve(values.DATA_DIR),
    publicUrl: values.PUBLIC_URL,
    jwtSecret: values.JWT_SECRET,
    accessTokenTtlMs: values.ACCESS_TOKEN_TTL,
    refreshTokenTtlMs: values.REFRESH_TOKEN_TTL,
    trustProxy: values.TRUST_PROXY,
    corsOrigins: values.CORS_ORIGIN,
    logLevel: values.LOG_LEVEL,
    sqliteSynchronous: values.SQLITE_SYNCHRONOUS,
    maxOpenSpaces: values.MAX_OPEN_SPACES,
    storageThreads: values.STORAGE_THREADS,
    keepSetAsideMs: values.KEEP_SET_ASIDE,
    readFilesEveryMs: values.READ_FILES_INTERVAL,
    staticDir: resolve(values.STATIC_DIR),
    pings: { intervalMs: values.PING_INTERVAL, timeoutMs: values.PING_TIMEOUT },
    metricsToken: values.METRICS_TOKEN,
    registration: values.REGISTRATION,
    rateLimits: {
      signInPerAddress: values.SIGN_IN_LIMIT_PER_ADDRESS,
      signInPerAccount: values.SIGN_IN_LIMIT_PER_ACCOUNT,
      requestsPerAddress: values.REQUEST_LIMIT_PER_ADDRESS,
      requestsPerUser: values.REQUEST_LIMIT_PER_USER,
      socketsPerAddress: values.SOCKET_LIMIT_PER_ADDRESS,
    },
    socketLimits: {
      requestsPerSecond: values.REQUESTS_PER_SECOND_AND_SOCKET,
      requestBurst: values.REQUESTS_PER_SECOND_AND_SOCKET * 5,
      signalsPerSecond: values.SIGNALS_PER_SECOND_AND_SOCKET,
      signalBurst: values.SIGNALS_PER_SECOND_AND_SOCKET * 2,
    },
    userLimits: userLimitsOf({
      requests: values.REQUESTS_PER_SECOND_AND_USER,
      signals: values.SIGNALS_PER_SECOND_AND_USER,
      bytes: values.BYTES_PER_SECOND_AND_USER,
      operations: values.OPERATIONS_PER_SECOND_AND_USER,
      sockets: values.SOCKET_LIMIT_PER_USER,
    }),
    maxTreeOps: values.TREE_READ_LIMIT,
    quotas: {
      spaceOps: values.SPACE_QUOTA_OPERATIONS,
      spaceBytes: values.SPACE_QUOTA_BYTES,
      userBytes: values.USER_QUOTA_BYTES,
      userSpaces: values.USER_QUOTA_SPACES,
    },
    mail: mailOf(values),
    oidc: oidcOf(values),
  }
}

function mailOf({ SMTP_URL, MAIL_FROM, PUBLIC_URL }: z.output<typeof environment>): MailConfig | undefined {
  if (SMTP_URL === undefined || MAIL_FROM === undefined || PUBLIC_URL === undefined) return undefined
  return { smtpUrl: SMTP_URL, from: MAIL_FROM, publicUrl: PUBLIC_URL }
}

function oidcOf(values: z.output<typeof environment>): OidcSettings | undefined {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = values
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) return undefined
  return { issuer, clientId, clientSecret, name: values.OIDC_NAME ?? new URL(issuer).hostname }
}

function problemsOf(
  error: z.ZodError,
  given: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const problems = new Map<string, string>()
  for (const issue of error.issues) {
    const name = String(issue.path[0])
    if (problems.has(name)) continue
    // The last branch of a union says what is allowed.
    const branch = issue.code === 'invalid_union' ? issue.errors.at(-1)?.[0] : undefined
    const message = (branch ?? issue).message
    const isShown = given[name] !== undefined && !isSecret(name)
    const shown = isShown ? ` (is ${JSON.stringify(given[name])})` : ''
    problems.set(name, `  ${name}: ${message}${shown}`)
  }
  return problems
}
