import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'

import { errorBodySchema, sessionSchema } from '@t69/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { parseConfig } from './config.ts'
import { apiRoutes } from './http/api-routes.ts'
import { answerParserError } from './http/parser-errors.ts'
import { silentLogger } from './ports/logger.ts'
import { createServer, type Server } from './server.ts'
import { cheapPasswords, password } from './testing/http-harness.ts'

let dataDir: string
let server: Server
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-answers-'))
  const env = { DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'silent', SOCKET_LIMIT_PER_ADDRESS: '1' }
  const config = parseConfig({ ...env, REQUEST_LIMIT_PER_ADDRESS: '10000', METRICS_TOKEN: 'm'.repeat(32) })
  server = await createServer(config, { passwordCost: cheapPasswords })
  await server.listen()
})
afterAll(async () => {
  await server.close()
  rmSync(dataDir, { recursive: true, force: true })
})

/** What the server answers to these bytes on a connection of their own, until it ends. */
async function answerTo(bytes: string): Promise<{ status: number; head: string; body: string }> {
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(bytes)
  const answer = await text(socket)
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), body }
}

const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, '', ''].join('\r\n')

describe('[ER4] every refusal is an error body that no cache keeps', () => {
  const handshake = '/socket.io/?EIO=4&transport='
  const webSocket = [
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  it.each([
    ['bytes that are not HTTP', 'nonsense\r\n\r\n', 400, 'invalid_request'],
    ['a method that nobody knows', request('NONSENSE /api/me'), 400, 'invalid_request'],
    ['a method that HTTP knows and the API does not', request('PURGE /api/me'), 404, 'not_found'],
    [
      'a method that the path does not take',
      request('PUT /api/spaces', 'Content-Length: 0'),
      404,
      'not_found',
    ],
    [
      'headers that are too large',
      request('GET /api/me', `X-Large: ${'x'.repeat(40_000)}`),
      431,
      'too_large',
    ],
    [
      'two lengths',
      request('POST /api/me', 'Content-Length: 1', 'Content-Length: 2'),
      400,
      'invalid_request',
    ],
    ['a request without a host', 'GET /api/me HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'invalid_request'],
    ['an expectation', request('GET /api/me', 'Expect: the-impossible'), 417, 'invalid_request'],
    [
      'a chunk that is no chunk',
      request('POST /api/me', 'Transfer-Encoding: chunked') + 'zz',
      400,
      'invalid_request',
    ],
    [
      'another protocol',
      request('GET /api/me', 'Upgrade: h2c', 'HTTP2-Settings: AA'),
      401,
      'unauthenticated',
    ],
    [
      'a WebSocket where the API is',
      request('GET /api/me', ...webSocket).replace('Connection: close', 'Connection: Upgrade, close'),
      401,
      'unauthenticated',
    ],
    ['a path that is unknown', request('GET /api/nothing'), 404, 'not_found'],
    ['a URL that does not decode', request('GET /api/%E0%A4%A'), 400, 'invalid_request'],
    ['an asset that is not there', request('GET /assets/nothing.js'), 404, 'not_found'],
    ['a transport that is unknown', request(`GET ${handshake}carrier-pigeon`), 400, 'invalid_request'],
    ['a session that is unknown', request(`GET ${handshake}polling&sid=nothing`), 400, 'invalid_request'],
    ['a handshake by another method', request(`DELETE ${handshake}polling`), 400, 'invalid_request'],
    [
      'an older protocol of sockets',
      request('GET /socket.io/?EIO=3&transport=polling'),
      426,
      'unsupported_version',
    ],
    [
      'a WebSocket of a session that is unknown',
      request(`GET ${handshake}websocket&sid=nothing`, ...webSocket).replace('close', 'Upgrade'),
      400,
      'invalid_request',
    ],
  ])('%s', async (_, bytes, status, code) => {
    const answer = await answerTo(bytes)
    expect(answer).toMatchObject({ status })
    expect(answer.head).toContain('cache-control: no-store')
    expect(answer.head).toContain('content-type: application/json')
    const { error } = JSON.parse(answer.body) as { error: unknown }
    expect(errorBodySchema.parse(error)).toMatchObject({ code, message: expect.stringMatching(/./) })
  })

  it.each([
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'invalid_request'],
    ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 413, 'too_large'],
  ])('what the parser calls %s', async (error, status, code) => {
    const socket = new PassThrough()
    answerParserError({ code: error }, socket, silentLogger)
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [A-Z]`))
    expect(JSON.parse(body)).toMatchObject({ error: { code } })
  })

  it.each([
    ['a connection', ''],
    ['a connection that names a session without a name', '&sid='],
  ])('%s of an address that has far too many', async (_, sid) => {
    const open = request(`GET ${handshake}polling`).replace('close', 'keep-alive')
    const sockets = Array.from({ length: 12 }, () => connect(server.port, '127.0.0.1'))
    for (const socket of sockets) {
      socket.write(open)
      await once(socket, 'data')
    }
    const answer = await answerTo(request(`GET ${handshake}polling${sid}`))
    for (const socket of sockets) socket.destroy()
    expect(answer).toMatchObject({ status: 429 })
    expect(answer.head).toContain('retry-after: 30')
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'rate_limited', retryAfterMs: 30_000 } })
  })
})

it('[ER4] no cache keeps any answer of the API, good or bad', async () => {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ email: 'anna@example.org', password, name: 'Anna', session: 'body' })
  const signUp = await fetch(`${server.url}/api/auth/register`, { method: 'POST', headers, body })
  expect(signUp.headers.get('cache-control')).toBe('no-store')
  const { accessToken } = sessionSchema.parse(await signUp.json())
  const encoded = await fetch(`${server.url}/%61pi/me`, {
    headers: { authorization: `Bearer ${accessToken}` },
  })
  expect([encoded.status, encoded.headers.get('cache-control')]).toEqual([200, 'no-store'])
  const tokens = ['', accessToken, 'm'.repeat(32)]
  const statuses = new Set<number>()
  for (const route of apiRoutes) {
    const [method = '', path = ''] = route.split(' ')
    for (const token of tokens) {
      const init = { method, headers: { authorization: `Bearer ${token}` } }
      const response = await fetch(`${server.url}${path.replaceAll(/:\w+/g, 'ab'.repeat(16))}`, init)
      expect([route, response.headers.get('cache-control')]).toEqual([route, 'no-store'])
      statuses.add(response.status)
    }
  }
  for (const status of [200, 204, 400, 401]) expect(statuses).toContain(status)
})
