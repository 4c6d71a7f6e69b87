import { errorBodySchema, protocolVersion } from '@t69/protocol'
import { io } from 'socket.io-client'
import { describe, expect, test } from 'vitest'

import { startLiveServer } from '../lib/live-server.ts'

/** The header that a proxy sends on: anything that the visitor invented, then the address that the proxy saw. */
const through = (...addresses: string[]) => ({ 'x-forwarded-for': addresses.join(', ') })

const strict = { SIGN_IN_LIMIT_PER_ADDRESS: '3', SOCKET_LIMIT_PER_ADDRESS: '1' }

/** The statuses of a number of sign-ins with a wrong password. */
async function signIns(url: string, count: number, headersOf: (index: number) => Record<string, string>) {
  const statuses: number[] = []
  for (let index = 0; index < count; index++) {
    const body = JSON.stringify({ email: `nobody-${index}@example.org`, password: 'wrong password' })
    const headers = { 'content-type': 'application/json', ...headersOf(index) }
    statuses.push((await fetch(`${url}/api/auth/login`, { method: 'POST', headers, body })).status)
  }
  return statuses
}

/** `ok`, or the code of the refusal. The connection stays open until the stack is disposed. */
async function connect(
  stack: DisposableStack,
  given: { url: string; token: string; headers: Record<string, string>; transport?: string },
): Promise<string> {
  const { url, token, headers, transport = 'websocket' } = given
  const socket = io(url, {
    auth: { token, protocolVersion },
    extraHeaders: headers,
    transports: [transport],
    forceNew: true,
    reconnection: false,
  })
  stack.defer(() => socket.disconnect())
  return await new Promise((resolve) => {
    socket.once('connect', () => resolve('ok'))
    socket.once('connect_error', (error: Error & { data?: unknown }) => {
      const body = errorBodySchema.safeParse(error.data).data
      resolve(body === undefined ? error.message : `${body.code} ${body.retryAfterMs !== undefined}`)
    })
  })
}

describe('without TRUST_PROXY', () => {
  test('[LI7] without TRUST_PROXY, the address in a header is ignored, for HTTP and for sockets', async () => {
    await using server = await startLiveServer(strict)
    const forged = (index: number) => through(`203.0.113.${index}`)
    const { token } = await server.signUp('Anna')
    expect(await signIns(server.url, 4, forged)).toEqual([401, 401, 429, 429])
    using stack = new DisposableStack()
    const outcomes: string[] = []
    for (let index = 0; index < 2; index++) {
      outcomes.push(await connect(stack, { url: server.url, token, headers: forged(index) }))
    }
    expect(outcomes).toEqual(['ok', 'rate_limited true'])
    // So many connections are refused before the handshake.
    const polling = { url: server.url, token, headers: forged(9), transport: 'polling' }
    const [first, ...others] = await Promise.all([connect(stack, polling), connect(stack, polling)])
    expect([first, ...others]).not.toContain('ok')
  })
})

describe('with the address of the proxy', () => {
  test('[LI7] with TRUST_PROXY, each visitor has separate limits, and an invented address does not change that', async () => {
    await using server = await startLiveServer({ ...strict, TRUST_PROXY: '127.0.0.1, 10.1.0.0/16' })
    const { token } = await server.signUp('Anna')
    const anna = '198.51.100.7'
    expect(await signIns(server.url, 4, () => through(anna))).toEqual([401, 401, 401, 429])
    expect(await signIns(server.url, 1, (index) => through(`203.0.113.${index}`, anna))).toEqual([429])
    // Through a second trusted proxy she is still the same visitor.
    expect(await signIns(server.url, 1, () => through(anna, '10.1.2.3'))).toEqual([429])
    expect(await signIns(server.url, 1, () => through('198.51.100.8'))).toEqual([401])

    using stack = new DisposableStack()
    const from = (...addresses: string[]) =>
      connect(stack, { url: server.url, token, headers: through(...addresses) })
    expect(await from(anna)).toBe('ok')
    expect(await from('203.0.113.1', anna)).toBe('rate_limited true')
    expect(await from(anna, '10.1.2.3')).toBe('rate_limited true')
    expect(await from('198.51.100.8')).toBe('ok')
    // A household has a /64 network of addresses.
    expect(await from('2001:db8:1:2::1')).toBe('ok')
    expect(await from('2001:db8:1:2:ffff::9')).toBe('rate_limited true')
    expect(await from('2001:db8:1:3::1')).toBe('ok')
  })
})

describe('with a number of proxies', () => {
  test('[LI7] with TRUST_PROXY=1, each visitor of the one proxy has separate limits, for HTTP and for sockets', async () => {
    await using server = await startLiveServer({ ...strict, TRUST_PROXY: '1' })
    const { token } = await server.signUp('Anna')
    const anna = '198.51.100.7'
    expect(await signIns(server.url, 4, () => through(anna))).toEqual([401, 401, 401, 429])
    // Only the nearest address is the proxy's own word. What comes before it, the visitor may have invented.
    expect(await signIns(server.url, 1, (index) => through(`203.0.113.${index}`, anna))).toEqual([429])
    expect(await signIns(server.url, 1, () => through('198.51.100.8'))).toEqual([401])

    using stack = new DisposableStack()
    const from = (...addresses: string[]) =>
      connect(stack, { url: server.url, token, headers: through(...addresses) })
    expect(await from(anna)).toBe('ok')
    expect(await from('203.0.113.1', anna)).toBe('rate_limited true')
    expect(await from('198.51.100.8')).toBe('ok')
  })

  test('[LI7] with TRUST_PROXY=2, the visitor is whom the first of two proxies saw', async () => {
    await using server = await startLiveServer({ ...strict, TRUST_PROXY: '2' })
    const inner = '10.1.2.3'
    expect(await signIns(server.url, 3, () => through('198.51.100.7', inner))).toEqual([401, 401, 401])
    expect(await signIns(server.url, 1, () => through('203.0.113.9', '198.51.100.7', inner))).toEqual([429])
    expect(await signIns(server.url, 1, () => through('198.51.100.8', inner))).toEqual([401])
  })
})
