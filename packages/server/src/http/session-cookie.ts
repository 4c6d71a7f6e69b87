import { createHmac } from 'node:crypto'

import { SyncError, type UserId } from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'

import type { DeviceTokens } from '../platform/device-tokens.ts'
import { basePathOf } from './base-path.ts'
import type { HttpConfig } from './http-config.ts'
import { isFromOwnPage, ownOrigin } from './own-pages.ts'

const sharedName = 't69_refresh'

/** How long a device is remembered, in seconds: the longest that browsers keep a cookie. */
const deviceMaxAge = 400 * 24 * 60 * 60

/**
 * The cookie that holds the refresh token of a browser, and beside it the one by which the browser is recognised at the
 * next sign-in, which stays when the user signs out. Browsers send a cookie to every port of its host, so there may be
 * another t69 server's beside ours. That one is left alone: ours then has a name of its own.
 */
export interface SessionCookie {
  /** Returns the refresh token, if there is one. Throws `forbidden` when a page of another origin sent the request. */
  of(request: FastifyRequest): string | undefined
  set(request: FastifyRequest, reply: FastifyReply, refreshToken: string): void
  clear(request: FastifyRequest, reply: FastifyReply): void
  /** The id of the device, if the user was signed in there before, and no other user since. */
  deviceOf(request: FastifyRequest, userId: UserId): string | undefined
  /** Remembers that the user was signed in. */
  remember(request: FastifyRequest, reply: FastifyReply, userId: UserId): void
}

/** How often a refused page is logged at most, in ms: a page may try at any rate. */
const warningIntervalMs = 60_000
/** The most of a header that is logged, in characters. */
const maxLogged = 200

export function createSessionCookie(
  config: Pick<HttpConfig, 'publicUrl' | 'corsOrigins' | 'refreshTokenTtlMs'>,
  deps: {
    readonly monotonic: () => number
    /** Whether this server issued the token. */
    readonly hasIssued: (token: string) => boolean
    readonly devices: DeviceTokens
    readonly signingSecret: string
  },
): SessionCookie {
  const { monotonic, hasIssued, devices } = deps
  // Tells our cookie from those of other servers, and says nothing of the secret.
  const tag = createHmac('sha256', deps.signingSecret).update('cookie name').digest('hex').slice(0, 12)
  const deviceName = `t69_device_${tag}`
  const { publicUrl, corsOrigins } = config
  const path = `${basePathOf(publicUrl)}/api/auth`
  let warnedAt = Number.NEGATIVE_INFINITY

  /** Our cookie in the request. A server whose secret was deleted finds the one of before, under another name. */
  function ours({ cookies }: FastifyRequest): { readonly name: string; readonly token: string } | undefined {
    for (const [name, token] of Object.entries(cookies)) {
      const isOurs = name.startsWith(sharedName) && token !== undefined && hasIssued(token)
      if (isOurs) return { name, token }
    }
    return undefined
  }

  /** Keeps the cookie from scripts, and from every route that does not need it. */
  function attributes(request: FastifyRequest) {
    const secure = ownOrigin(request, corsOrigins).startsWith('https:')
    return { path, httpOnly: true, sameSite: 'strict', secure } as const
  }

  function warn(request: FastifyRequest): void {
    if (monotonic() - warnedAt < warningIntervalMs) return
    warnedAt = monotonic()
    const { origin, host, 'sec-fetch-site': site } = request.headers
    const cut = (text: unknown): unknown => (typeof text === 'string' ? text.slice(0, maxLogged) : text)
    request.log.warn(
      { origin: cut(origin), host: cut(host), site: cut(site), publicUrl },
      'a session is not renewed, because the page that asks is not at an address of this server. If it is one of ' +
        'yours, set PUBLIC_URL to the address in the browser, and have the proxy pass on Host',
    )
  }

  function deviceOf(request: FastifyRequest, userId: UserId): string | undefined {
    const device = devices.read(request.cookies[deviceName] ?? '')
    return device?.userId === userId ? device.deviceId : undefined
  }

  return {
    deviceOf,
    remember(request, reply, userId) {
      if (deviceOf(request, userId) !== undefined) return
      void reply.setCookie(deviceName, devices.issue(userId), {
        ...attributes(request),
        maxAge: deviceMaxAge,
      })
    },
    of(request) {
      const token = ours(request)?.token
      if (token === undefined || isFromOwnPage(request, config)) return token
      warn(request)
      throw new SyncError('forbidden', 'The session cookie is for pages of this server only', {
        reason: 'other_page',
      })
    },
    set(request, reply, refreshToken) {
      const isTaken = request.cookies[sharedName] !== undefined
      const name = ours(request)?.name ?? (isTaken ? `${sharedName}_${tag}` : sharedName)
      const maxAge = Math.floor(config.refreshTokenTtlMs / 1000)
      void reply.setCookie(name, refreshToken, { ...attributes(request), maxAge })
    },
    clear(request, reply) {
      const name = ours(request)?.name
      if (name !== undefined) void reply.clearCookie(name, attributes(request))
    },
  }
}
