/** Addresses of providers, as people type and paste them. */

/** What follows the address of an API in the address of one of its endpoints. */
const endpoints =
  /\/(?:chat\/completions|completions|responses|messages|models|embeddings|api\/(?:chat|tags|generate))\/*$/

/**
 * The address of an API from what somebody entered: without a scheme, without `/v1`, or that of a whole endpoint. Null for
 * what is no address.
 *
 *     addressFrom('localhost:11434') // 'http://localhost:11434/v1'
 *     addressFrom('https://api.openai.com/v1/chat/completions') // 'https://api.openai.com/v1'
 */
export function addressFrom(entered: string): string | null {
  const text = entered.trim()
  if (text === '' || /\s/.test(text)) return null
  const url = urlOf(/^https?:\/\//i.test(text) ? text : `${isNear(text) ? 'http' : 'https'}://${text}`)
  // Another scheme: what looks like one may be a host and its port, `localhost:1234`.
  if (url === null || (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) && !/^https?:/i.test(text))) return null
  if (url.hostname === '' || !/[\w\]]$/.test(url.hostname)) return null
  url.search = url.hash = url.username = url.password = ''
  const path = withoutSlashes(url.pathname.replace(endpoints, ''))
  return `${url.origin}${path === '' ? '/v1' : path}`
}

/**
 * An address without the slashes at its end. A pattern would begin anew at each slash of a long row of them, and any member
 * can make an address of half a megabyte.
 */
export function withoutSlashes(address: string): string {
  let end = address.length
  while (address[end - 1] === '/') end--
  return address.slice(0, end)
}

/** Whether an address without a scheme is one of this machine or of the network at home, where there is seldom TLS. */
function isNear(text: string): boolean {
  const host = text.replace(/[/?#].*$/, '').replace(/:\d+$/, '')
  return (
    /^(?:localhost|.*\.(?:local|lan|home|internal)|\[?::1\]?)$/i.test(host) ||
    /^(?:127|10|0)\.|^192\.168\.|^172\.(?:1[6-9]|2\d|3[01])\.|^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(
      host,
    ) ||
    // A name without a dot is a machine's.
    (!host.includes('.') && !host.startsWith('['))
  )
}

function urlOf(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null
}

/** Whether two addresses are on one server. */
export function isSameServer(one: string, other: string): boolean {
  const origin = urlOf(one)?.origin
  return origin !== undefined && origin === urlOf(other)?.origin
}

/** The host of an address, with its port; the whole text of what is no address. */
export function hostOf(address: string): string {
  return urlOf(address)?.host ?? address
}
