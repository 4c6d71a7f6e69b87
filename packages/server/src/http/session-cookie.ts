import { SyncError } from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'

import { basePathOf } from './base-path.ts'
import type { HttpConfig } from './http-config.ts'
import { isFromOwnPage, ownOrigin } from './own-pages.ts'

const name = 't69_refresh'

/** The cookie that holds the refresh token of a browser. */
export interface SessionCookie {
  /** Returns the refresh token, if there is one. Throws `forbidden` when a page of another origin sent the request. */
  of(request: FastifyRequest): string | undefined
  set(request: FastifyRequest, reply: FastifyReply, refreshToken: string): void
  clear(request: FastifyRequest, reply: FastifyReply): void
}

/** How often a refused page is logged at most, in ms: a page may try at any rate. */
const warningIntervalMs = 60_000
/** The most of a header that is logged, in characters. */
const maxLogged = 200

export function createSessionCookie(
  config: Pick<HttpConfig, 'publicUrl' | 'corsOrigins' | 'refreshTokenTtlMs'>,
  now: () => number,
): SessionCookie {
  const { publicUrl, corsOrigins } = config
  const path = `${basePathOf(publicUrl)}/api/auth`
  let warnedAt = Number.NEGATIVE_INFINITY

  /** Keeps the cookie from scripts, and from every route that does not need it. */
  function attributes(request: FastifyRequest) {
    const secure = ownOrigin(request, corsOrigins).startsWith('https:')
    return { path, httpOnly: true, sameSite: 'strict', secure } as const
  }

  function warn(request: FastifyRequest): void {
    if (Math.abs(now() - warnedAt) < warningIntervalMs) return
    warnedAt = now()
    const { origin, host, 'sec-fetch-site': site } = request.headers
    const cut = (text: unknown): unknown => (typeof text === 'string' ? text.slice(0, maxLogged) : text)
    request.log.warn(
      { origin: cut(origin), host: cut(host), site: cut(site), publicUrl },
      'a session is not renewed, because the page that asks is not at an address of this server. If it is one of ' +
        'yours, set PUBLIC_URL to the address in the browser, and have the proxy pass on Host',
    )
  }

  return {
    of(request) {
      const token = request.cookies[name]
      if (token === undefined || isFromOwnPage(request, config)) return token
      warn(request)
      throw new SyncError('forbidden', 'The session cookie is for pages of this server only')
    },
    set(request, reply, refreshToken) {
      const maxAge = Math.floor(config.refreshTokenTtlMs / 1000)
      void reply.setCookie(name, refreshToken, { ...attributes(request), maxAge })
    },
    clear: (request, reply) => void reply.clearCookie(name, attributes(request)),
  }
}
