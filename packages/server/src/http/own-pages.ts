import { isIP } from 'node:net'

import type { FastifyRequest } from 'fastify'

import type { HttpConfig } from './http-config.ts'

/**
 * Tells requests from this server's own pages, and from the origins of `CORS_ORIGIN`, from those of other pages that
 * share its cookies. `SameSite=Strict` keeps other sites away; what is left are other ports and subdomains of the same
 * site. A program other than a browser says nothing of a page, and nobody else can use its cookie.
 *
 * A browser that says where the page is (`Sec-Fetch-Site`, over HTTPS and on this machine) is believed. Over plain HTTP
 * there is only `Origin`, which behind many proxies looks like no address that this server knows: they replace `Host`,
 * or leave out its port. A request with a JSON body is therefore taken from any origin that may be ours: a browser
 * sends one to another origin only after asking, and CORS says no.
 */
export function isFromOwnPage(
  request: FastifyRequest,
  { publicUrl, corsOrigins }: Pick<HttpConfig, 'publicUrl' | 'corsOrigins'>,
): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin !== undefined && corsOrigins.includes(origin)) return true
  if (typeof site === 'string') return site === 'same-origin'
  if (origin === undefined || origin === `${request.protocol}://${request.host}`) return true
  if (publicUrl !== undefined && origin === new URL(publicUrl).origin) return true
  return isJson(request) && mayBeOwn(origin, request.hostname, publicUrl)
}

/**
 * The address of this server in the browser, without a path. Only a page of ours, or of `CORS_ORIGIN`, can make a
 * request with an access token, so any other `Origin` is where the browser finds this server.
 */
export function ownOrigin(request: FastifyRequest, corsOrigins: readonly string[]): string {
  const { origin } = request.headers
  const isOurs = origin !== undefined && /^https?:/.test(origin) && !corsOrigins.includes(origin)
  return isOurs ? origin : `${request.protocol}://${request.host}`
}

/** A cross-origin request of this type needs the permission of CORS, with any parameters. */
function isJson(request: FastifyRequest): boolean {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';')
  return type.trim().toLowerCase() === 'application/json'
}

function mayBeOwn(origin: string, host: string, publicUrl: string | undefined): boolean {
  if (!URL.canParse(origin)) return false
  return new URL(origin).hostname === host || (publicUrl === undefined && isInternal(host))
}

/** Whether a proxy may have put this name in the place of the one in the browser: the address of its upstream. */
function isInternal(host: string): boolean {
  const isAddress = isIP(host.replace(/^\[|\]$/g, '')) !== 0
  return isAddress || !host.includes('.')
}
