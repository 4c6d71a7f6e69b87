import { SyncError } from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'

const name = 't69_refresh'

export function setSessionCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  refreshToken: string,
  ttlMs: number,
): void {
  void reply.setCookie(name, refreshToken, { ...attributes(request), maxAge: Math.floor(ttlMs / 1000) })
}

export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  void reply.clearCookie(name, attributes(request))
}

/**
 * The refresh token from the cookie, if there is one. Throws `forbidden` when a page of another origin sent the
 * request. `SameSite=Strict` keeps the cookie from other sites, but other ports and subdomains are the same site, so
 * the browser's headers about the page are checked too. A program other than a browser sends neither header, and
 * nobody else can use its cookie.
 */
export function sessionCookieOf(
  request: FastifyRequest,
  allowedOrigins: readonly string[],
): string | undefined {
  const token = request.cookies[name]
  if (token === undefined) return undefined
  const { origin, 'sec-fetch-site': site } = request.headers
  const isAllowed = origin !== undefined && allowedOrigins.includes(origin)
  const isOwn =
    typeof site === 'string'
      ? site === 'same-origin'
      : origin === undefined || origin === `${request.protocol}://${request.host}`
  if (!isAllowed && !isOwn) {
    throw new SyncError('forbidden', 'The session cookie is for pages of this server only')
  }
  return token
}

/** Keeps the cookie from scripts, and from every route that does not need it. */
function attributes(request: FastifyRequest) {
  const secure = request.protocol === 'https'
  return { path: '/api/auth', httpOnly: true, sameSite: 'strict', secure } as const
}
