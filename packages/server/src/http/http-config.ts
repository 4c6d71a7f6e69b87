import type { RegistrationMode } from '@t69/protocol'

import type { TrustedProxies } from '../ports/trusted-proxies.ts'

/** The configuration of the HTTP side. */
export interface HttpConfig {
  /**
   * Where the server is in the browser, without a slash at the end: the base of invite links, and the path of the app
   * and of the session cookie. Default: the origin of each request, without a path.
   */
  readonly publicUrl: string | undefined
  /** How long a session lasts without being used. */
  readonly refreshTokenTtlMs: number
  /** Which proxies' `X-Forwarded-*` headers count. */
  readonly trustProxy: TrustedProxies
  /** Other origins whose pages may call the server. */
  readonly corsOrigins: readonly string[]
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** The built app. Without one, `/` says that it is not built. */
  readonly staticDir: string
  /** How often a socket is pinged, and how long its answer may take. */
  readonly pings: { readonly intervalMs: number; readonly timeoutMs: number }
  /** The bearer token of `/metrics`. Without one, the route does not exist. */
  readonly metricsToken: string | undefined
  /** Who may sign up, unless the operator has chosen something else by a command. */
  readonly registration: RegistrationMode
  readonly rateLimits: {
    /** Sign-ins and sign-ups a minute from one address. */
    readonly signInPerAddress: number
    /** Sign-ins to one account in 15 minutes, from any address. */
    readonly signInPerAccount: number
    /** Requests a minute from one address without a signed-in user. */
    readonly requestsPerAddress: number
    /** Requests a minute of one user, from any address. */
    readonly requestsPerUser: number
  }
  readonly quotas: {
    /** Spaces that may count against one user's quota. */
    readonly userSpaces: number
  }
}
