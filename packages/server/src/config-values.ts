import { z } from 'zod'

import { minSecretLength } from './platform/signing-secret.ts'
import { isHere } from './ports/is-here.ts'

/** Forms of environment variables: each schema checks a text and parses it. */

export const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
export const unitBytes = { kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }

/** Milliseconds, from `15m`, `30d`, `2s` or `500ms`. */
export const duration = z
  .string()
  .regex(/^[1-9][0-9]{0,8}(ms|s|m|h|d)$/, 'must be a duration such as 15m, 12h or 30d')
  .transform((text) => inUnits(text, unitMs))

/** Bytes, from `500MB` or `10GB`. */
export const size = z
  .string()
  .regex(/^[1-9][0-9]{0,5}(kB|MB|GB)$/, 'must be a size such as 500MB or 10GB')
  .transform((text) => inUnits(text, unitBytes))

function inUnits(text: string, units: Readonly<Record<string, number>>): number {
  const [, count = '', unit = ''] = /^([0-9]+)([A-Za-z]+)$/.exec(text) ?? []
  return Number(count) * (units[unit] ?? 1)
}

export function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`
  return z
    .string()
    .regex(/^[0-9]{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message)
}

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be a URL with http or https' })
  .transform((text) => new URL(text))

/** An origin, as browsers send it. */
export const httpOrigin = httpUrl
  .refine((url) => url.href === `${url.origin}/`, 'must be scheme, host and port only, without a path')
  .transform((url) => url.origin)

/** The server's own first path segments. A proxy that strips one of them would leave another path of the server. */
const ownPath = /^\/(?:api|assets|docs|health|invite|metrics|ready|socket\.io)(?:\/|$)/

/** Without slashes at the end. Its path ends up in a cookie, in HTML and in URLs, and needs no escaping in any. */
export const publicUrl = httpUrl
  .refine((url) => url.href === url.origin + url.pathname, 'must have no user, no query and no fragment')
  .refine((url) => /^[\w/.~-]*$/.test(url.pathname) && !url.pathname.includes('//'), {
    error: 'must have a path of letters, digits and . _ ~ - only',
  })
  .refine((url) => !ownPath.test(url.pathname), 'must not have a path that is one of the server’s own')
  .transform((url) => url.href.replace(/\/+$/, ''))

const secretLength = `must have ${minSecretLength} characters or more`

export const secret = z.string().min(minSecretLength, secretLength)

export const bearerToken = z
  .string()
  .regex(/^[!-~]+$/, 'must be of printable characters, without spaces')
  .min(minSecretLength, secretLength)

/** Where mail is handed over, with name and password: `smtps://name:password@mail.example.org`. */
export const smtpUrl = z.url({ protocol: /^smtps?$/, error: 'must be a URL with smtp or smtps' })

/** An address, or a name and an address. */
export const mailSender = z
  .string()
  .trim()
  .regex(/^(?:[^<>"\p{Cc}]+<[^\s<>@]+@[^\s<>@]+>|[^\s<>@,;]+@[^\s<>@,;]+)$/u, {
    error: 'must be an address, such as t69@example.org or t69 <t69@example.org>',
  })

/** Who issues identities, as it writes itself. Over plain HTTP anybody on the way could be anybody. */
export const issuerUrl = z.url({ protocol: /^https?$/, error: 'must be a URL with https' }).refine((text) => {
  return new URL(text).protocol === 'https:' || isHere(text)
}, 'must be a URL with https, or of this machine')

/** Whether a setting is never shown. The URL of a mail server has a password. */
export const isSecret = (name: string): boolean => /(?:SECRET|TOKEN|SMTP_URL)$/.test(name)

/** Items with commas between. */
export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)

const proxyAddress = z.union([
  z.ipv4(),
  z.ipv6(),
  z.cidrv4(),
  z.cidrv6(),
  z.enum(['loopback', 'linklocal', 'uniquelocal']),
])

/** Nobody, everybody, the nearest proxies by their number, or proxies by address. See `TrustedProxies`. */
export const trustProxy = z
  .string()
  .transform((text) => text.trim().toLowerCase())
  .pipe(
    z.union([
      z.enum(['true', 'false']).transform((text) => text === 'true'),
      wholeNumber(0, 99),
      list.refine(
        (items) => items.length > 0 && items.every((item) => proxyAddress.safeParse(item).success),
        {
          error:
            'must be true, false, a number of proxies up to 99, or addresses with commas between ' +
            '(also: loopback, linklocal, uniquelocal)',
        },
      ),
    ]),
  )
