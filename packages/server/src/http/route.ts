import type { IncomingMessage, ServerResponse } from 'node:http'

import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'

import type { UserLimits } from '../limits/user-limits.ts'
import type { Passwords } from '../platform/passwords.ts'
import type { Platform } from '../platform/platform.ts'
import type { SpaceDeletion } from '../platform/space-deletion.ts'
import type { AccessTokens } from '../platform/tokens.ts'
import type { Access, AskedLogs } from '../ports/access.ts'
import type { Administration } from '../ports/administration.ts'
import type { LiveSockets } from '../ports/live-sockets.ts'
import type { Mailer } from '../ports/mailer.ts'
import type { ServerRuntime } from '../ports/server-runtime.ts'
import type { SignInProvider } from '../ports/sign-in-provider.ts'
import type { KeptLists } from '../spaces/kept-lists.ts'
import type { MergedAccess } from '../spaces/merged-access.ts'
import type { TreeQuestions } from '../spaces/tree-questions.ts'
import type { ListedRoutes } from './api-routes.ts'
import type { HttpConfig } from './http-config.ts'

/** Fastify, with zod schemas for requests and responses. */
type ZodFastify = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** It takes only the routes that `apiRoutes` lists. */
export type HttpApp = ListedRoutes<ZodFastify>

/** Adds an operator's own routes, at any path that is free. */
export type OwnRoutes = (app: ZodFastify) => void | Promise<void>

/** The server's figures as text, in the format that `contentType` names. */
export interface MetricsExposition {
  readonly contentType: string
  exposition(): Promise<string>
}

/** Dependencies of the routes, which tell live sockets of each change before they respond. */
export interface RouteDeps {
  readonly config: HttpConfig
  readonly platform: Platform
  /** Who may do what, as the accounts and the logs know it. */
  readonly access: Access & AskedLogs & Pick<MergedAccess, 'settle' | 'askAll'>
  readonly keptLists: Pick<KeptLists, 'begin'>
  /** For strangers. */
  readonly passwords: Passwords
  /** For people who are signed in, or on a device where they were. */
  readonly passwordsOfKnown: Passwords
  readonly tokens: AccessTokens
  readonly spaces: Pick<TreeQuestions, 'readTree'>
  readonly userLimits: Pick<UserLimits, 'of'>
  readonly spaceDeletion: SpaceDeletion
  readonly administration: Administration
  readonly liveSockets: Pick<LiveSockets, 'sessionEnded'>
  /** Undefined where no mail is sent. */
  readonly mailer: Mailer | undefined
  /** Where people may sign in; undefined if only here. */
  readonly provider: SignInProvider | undefined
  /** Unix milliseconds. */
  readonly now: () => number
  /** Milliseconds, of a clock that nobody sets: for waits and rates. */
  readonly monotonic: () => number
  readonly setTimer: ServerRuntime['setTimer']
  /** Rejects with `storage_failed` while commits cannot succeed. */
  readonly checkCommits: () => Promise<void>
  readonly metrics: MetricsExposition
  readonly lifecycle: { readonly isClosing: boolean }
}
