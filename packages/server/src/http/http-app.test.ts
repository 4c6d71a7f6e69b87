import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'

import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { createHttpHarness, type HttpHarness, password } from '../testing/http-harness.ts'

describe('every refusal is an error body', () => {
  it.each([
    ['an unknown path', { method: 'GET', url: '/api/nothing' }, 404, 'not_found'],
    ['an unknown method', { method: 'PUT', url: '/api/spaces' }, 404, 'not_found'],
    ['a URL that does not decode', { method: 'GET', url: '/api/%E0%A4%A' }, 400, 'invalid_request'],
    [
      'JSON that does not parse',
      { method: 'POST', url: '/api/auth/login', payload: '{' },
      400,
      'invalid_request',
    ],
    [
      'a body of another type',
      { method: 'POST', url: '/api/auth/login', payload: 'a=b', type: 'text/csv' },
      400,
      'invalid_request',
    ],
    [
      'a body that is too large',
      { method: 'POST', url: '/api/auth/login', payload: 'x'.repeat(70_000) },
      413,
      'too_large',
    ],
    [
      'a polluting body',
      { method: 'POST', url: '/api/auth/login', payload: '{"__proto__":{}}' },
      400,
      'invalid_request',
    ],
  ] as const)('%s', async (_, request, status, code) => {
    await using harness = await createHttpHarness()
    const {
      type = 'application/json',
      payload,
      ...rest
    } = { type: undefined, payload: undefined, ...request }
    const response = await harness.app.inject({
      ...rest,
      ...(payload !== undefined && { payload, headers: { 'content-type': type } }),
    })
    expect(response.statusCode).toBe(status)
    const { error } = response.json<{ error: { code: string; message: string } }>()
    expect(error.message).toBeTypeOf('string')
    expect(error.code).toBe(code)
  })

  it('also for a change that was written to a displaced database', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('anna')
    const space = { id: 'ab'.repeat(16), name: 'Home' }
    const path = join(harness.dataDir, 'platform.sqlite')
    renameSync(path, `${path}.away`)
    const sign = { email: 'ben@example.org', password, name: 'Ben' }
    const signUp = await harness.app.inject({ method: 'POST', url: '/api/auth/register', payload: sign })
    expect(signUp.json()).toMatchObject({ error: { code: 'unavailable' } })
    expect(signUp.headers['set-cookie']).toBeUndefined()
    expect(await anna.call('POST', '/api/spaces', space)).toMatchObject({ status: 503 })
    expect(await anna.call('GET', '/api/spaces')).toMatchObject({ status: 200 })
    renameSync(`${path}.away`, path)
    expect(await anna.call('POST', '/api/auth/login', { ...sign, name: undefined })).toMatchObject({
      status: 200,
    })
  })

  it('limits the requests of one address, and says when to try again', async () => {
    await using harness = await createHttpHarness({ REQUEST_LIMIT_PER_ADDRESS: '2' })
    await harness.anonymous('GET', '/api/spaces')
    await harness.anonymous('GET', '/api/spaces')
    const response = await harness.app.inject({ method: 'GET', url: '/api/spaces' })
    expect(response.statusCode).toBe(429)
    expect(response.json()).toMatchObject({ error: { code: 'rate_limited' } })
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0)
    expect((await harness.anonymous('GET', '/health')).status).toBe(200)
  })

  it('answers only /health and /ready while the server is closing', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    expect((await harness.anonymous('GET', '/ready')).status).toBe(200)
    harness.lifecycle.isClosing = true
    const unavailable = { status: 503, body: { error: { code: 'unavailable' } } }
    expect(await harness.anonymous('GET', '/ready')).toMatchObject(unavailable)
    expect(await anna.call('GET', '/api/me')).toMatchObject(unavailable)
    expect((await harness.anonymous('GET', '/health')).status).toBe(200)
  })

  it('checks the disk at most once a second for /ready', async () => {
    await using harness = await createHttpHarness()
    const other = new Sqlite(join(harness.dataDir, 'platform.sqlite'))
    const versions = new Set([other.pragma('data_version', { simple: true })])
    async function ask(): Promise<void> {
      for (let count = 0; count < 20; count++) {
        expect((await harness.anonymous('GET', '/ready')).status).toBe(200)
        versions.add(other.pragma('data_version', { simple: true }))
      }
    }
    await ask()
    expect(versions.size).toBe(2)
    harness.clock.now += 1_000
    await ask()
    expect(versions.size).toBe(3)
    other.close()
  })

  it('is not ready while nothing can be written to the data directory, and says so', async () => {
    await using harness = await createHttpHarness()
    const probe = join(harness.dataDir, 'ready.probe')
    expect((await harness.anonymous('GET', '/ready')).status).toBe(200)
    expect(existsSync(probe)).toBe(false)
    // As good as a full disk: the file cannot be made.
    mkdirSync(join(probe, 'in the way'), { recursive: true })
    harness.clock.now += 1_000
    const notReady = {
      status: 503,
      body: { error: { code: 'storage_failed', message: expect.stringContaining('EISDIR') } },
    }
    expect(await harness.anonymous('GET', '/ready')).toMatchObject(notReady)
    // SQLite, which cannot write either, does not say why.
    const other = new Sqlite(join(harness.dataDir, 'platform.sqlite'))
    other.exec('begin immediate')
    harness.clock.now += 1_000
    expect(await harness.anonymous('GET', '/ready')).toMatchObject(notReady)
    other.close()
    expect((await harness.anonymous('GET', '/health')).status).toBe(200)
    rmSync(probe, { recursive: true })
    harness.clock.now += 1_000
    expect((await harness.anonymous('GET', '/ready')).status).toBe(200)
  })

  it('closes a connection that neither reads nor writes, after the time that long polling may be idle', async () => {
    await using harness = await createHttpHarness({ PING_INTERVAL: '40s' })
    expect(harness.app.server.timeout).toBe(100_000)
  })

  it('serves /metrics to anyone with its token, and has no such route without a configured one', async () => {
    await using closed = await createHttpHarness()
    expect((await closed.anonymous('GET', '/metrics')).status).toBe(404)
    const token = 'a-token-for-the-operator-long-enough'
    await using harness = await createHttpHarness({ METRICS_TOKEN: token })
    const ask = (authorization: string) =>
      harness.app.inject({ method: 'GET', url: '/metrics', headers: { authorization } })
    for (const wrong of ['', 'Bearer', token, `Bearer ${token}x`]) {
      expect((await ask(wrong)).statusCode, wrong).toBe(401)
    }
    const shown = await ask(`Bearer ${token}`)
    expect(shown.statusCode).toBe(200)
    expect(shown.headers['content-type']).toContain('text/plain')
    expect(shown.body).toMatch(/^t69_divergences_total 0$/m)
    expect(shown.body).toMatch(/^nodejs_eventloop_lag_p99_seconds /m)
  })

  it('hides the details of a bug', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    harness.platform.close()
    const response = await anna.call('GET', '/api/me')
    expect(response).toMatchObject({ status: 500, body: { error: { code: 'internal' } } })
    expect(JSON.stringify(response.body)).not.toMatch(/database|sqlite/i)
    expect((await harness.anonymous('GET', '/ready')).status).toBe(500)
  })
})

describe('the documentation', () => {
  it('describes every route, its security and its errors', async () => {
    await using harness = await createHttpHarness()
    const { paths } = (await harness.app.inject('/docs/json')).json<{
      paths: Record<string, Record<string, { responses: object; security?: object; summary: string }>>
    }>()
    expect(Object.keys(paths).toSorted()).toEqual([
      '/api/accounts/{userId}',
      '/api/admin/audit',
      '/api/admin/connections',
      '/api/admin/invites',
      '/api/admin/invites/{id}',
      '/api/admin/overview',
      '/api/admin/registration',
      '/api/admin/spaces',
      '/api/admin/spaces/{id}',
      '/api/admin/spaces/{id}/delete',
      '/api/admin/users',
      '/api/admin/users/{id}',
      '/api/admin/users/{id}/delete',
      '/api/admin/users/{id}/password-link',
      '/api/admin/users/{id}/role',
      '/api/admin/users/{id}/sign-out',
      '/api/auth/change-address',
      '/api/auth/change-address/confirm',
      '/api/auth/change-password',
      '/api/auth/delete-account',
      '/api/auth/forgotten-password',
      '/api/auth/login',
      '/api/auth/logout',
      '/api/auth/passkeys',
      '/api/auth/passkeys/challenge',
      '/api/auth/passkeys/creation',
      '/api/auth/passkeys/remove',
      '/api/auth/passkeys/sign-in',
      '/api/auth/password-link',
      '/api/auth/password-link/preview',
      '/api/auth/provider',
      '/api/auth/provider/callback',
      '/api/auth/provider/connect',
      '/api/auth/provider/disconnect',
      '/api/auth/provider/sign-in',
      '/api/auth/refresh',
      '/api/auth/register',
      '/api/auth/registration',
      '/api/invites/preview',
      '/api/invites/{token}/accept',
      '/api/me',
      '/api/me/ways-to-sign-in',
      '/api/sessions',
      '/api/sessions/{sessionId}',
      '/api/spaces',
      '/api/spaces/{spaceId}',
      '/api/spaces/{spaceId}/invites',
      '/api/spaces/{spaceId}/invites/{inviteId}',
      '/api/spaces/{spaceId}/members',
      '/api/spaces/{spaceId}/members/{userId}',
      '/api/spaces/{spaceId}/trees/{treeId}',
      '/health',
      '/ready',
    ])
    for (const [path, methods] of Object.entries(paths)) {
      for (const route of Object.values(methods)) {
        expect(route.summary, path).toBeTypeOf('string')
        const needsToken =
          /^\/api\/(?!invites\/preview|auth\/(register|registration|login|refresh|logout|forgotten-password|provider|provider\/callback|provider\/sign-in|passkeys\/challenge|passkeys\/sign-in|password-link|password-link\/preview)$)/.test(
            path,
          )
        expect(route.security, path).toEqual(needsToken ? [{ bearer: [] }] : undefined)
        expect('429' in route.responses, path).toBe(path !== '/health')
      }
    }
  })

  it('is a page at /docs', async () => {
    await using harness = await createHttpHarness()
    const page = await harness.app.inject('/docs')
    expect(page.statusCode).toBe(200)
    expect(page.headers['content-type']).toContain('text/html')
  })
})

describe('the app', () => {
  let staticDir: string
  let harness: HttpHarness
  const page = { accept: 'text/html,application/xhtml+xml' }

  beforeAll(async () => {
    staticDir = mkdtempSync(join(tmpdir(), 't69-app-'))
    mkdirSync(join(staticDir, 'assets'))
    writeFileSync(join(staticDir, 'index.html'), '<!doctype html><title>t69</title>')
    writeFileSync(join(staticDir, 'assets', 'main-abc123.js'), 'export {}')
    writeFileSync(join(staticDir, 'assets', 'main-abc123.js.br'), brotliCompressSync('export {}'))
    writeFileSync(join(staticDir, 'assets', 'main-abc123.js.gz'), gzipSync('export {}'))
    writeFileSync(join(staticDir, 'sw.js'), '// worker')
    harness = await createHttpHarness({ STATIC_DIR: staticDir })
  })
  afterAll(async () => {
    await harness[Symbol.asyncDispose]()
    rmSync(staticDir, { recursive: true })
  })

  it.each([
    ['/', page, 200, 'no-cache'],
    ['/index.html', page, 200, 'no-cache'],
    ['/invite/some-token?x=1', page, 200, 'no-cache'],
    ['/assets/main-abc123.js', {}, 200, 'public, max-age=31536000, immutable'],
    ['/sw.js', {}, 200, 'no-cache'],
    ['/assets/gone.js', page, 404, 'no-store'],
    ['/favicon.png', {}, 404, 'no-store'],
    ['/api/nothing', page, 404, 'no-store'],
    ['/../package.json', {}, 404, 'no-store'],
  ])('answers %s', async (url, headers, status, cacheControl) => {
    const response = await harness.app.inject({ url, headers })
    expect(response.statusCode).toBe(status)
    expect(response.headers['cache-control']).toBe(cacheControl)
    const isPage = cacheControl === 'no-cache' && url !== '/sw.js'
    expect(response.body.includes('<title>t69</title>')).toBe(isPage)
  })

  it.each([
    ['br, gzip', 'br', brotliDecompressSync],
    ['gzip, deflate', 'gzip', gunzipSync],
    ['identity', undefined, (body: Buffer) => body],
  ])('sends what the build compressed to a browser that takes %s', async (accepted, encoding, decoded) => {
    const ask = (url: string) =>
      harness.app.inject({ url, headers: { ...page, 'accept-encoding': accepted } })
    const script = await ask('/assets/main-abc123.js')
    expect(script.headers['content-encoding']).toBe(encoding)
    expect(script.headers['content-type']).toMatch(/^application\/javascript/)
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(script.headers['vary']).toMatch(/accept-encoding/i)
    expect(decoded(script.rawPayload).toString()).toBe('export {}')
    // What is too small to compress is sent as it is.
    const worker = await ask('/sw.js')
    expect([worker.statusCode, worker.headers['content-encoding']]).toEqual([200, undefined])
  })

  it.each([
    ['br, gzip', 'br', brotliDecompressSync],
    ['identity', undefined, (body: Buffer) => body],
  ])('is compressed for a browser that takes %s', async (accepted, encoding, decoded) => {
    for (const url of ['/', '/invite/some-token']) {
      const response = await harness.app.inject({ url, headers: { ...page, 'accept-encoding': accepted } })
      expect(response.headers['content-encoding']).toBe(encoding)
      expect(response.headers['vary']).toMatch(/accept-encoding/i)
      expect(decoded(response.rawPayload).toString()).toContain('<title>t69</title>')
    }
  })

  it('is told by its base where it is in the browser', async () => {
    writeFileSync(join(staticDir, 'index.html'), '<base href="/" /><title>t69</title>')
    await using below = await createHttpHarness({
      STATIC_DIR: staticDir,
      PUBLIC_URL: 'https://t69.example/chat',
    })
    for (const url of ['/', '/index.html', '/invite/some-token']) {
      const atRoot = await harness.app.inject({ url, headers: page })
      const atPath = await below.app.inject({ url, headers: page })
      expect([atRoot.body, atPath.body]).toEqual([
        '<base href="/" /><title>t69</title>',
        '<base href="/chat/" /><title>t69</title>',
      ])
    }
    // As a service worker fetches it.
    expect((await below.app.inject({ url: '/' })).body).toContain('<base href="/chat/" />')
    expect((await below.app.inject({ method: 'HEAD', url: '/' })).statusCode).toBe(200)
    expect((await below.app.inject({ url: '/docs' })).body).toContain('src="/chat/docs/static/')
    expect((await below.app.inject({ url: '/docs/json' })).json()).toMatchObject({
      servers: [{ url: '/chat' }],
    })
  })

  it('comes with a policy that lets only its own scripts run', async () => {
    const { headers } = await harness.app.inject({ url: '/', headers: page })
    expect(headers['content-security-policy']).toContain("script-src 'self';")
    expect(headers['content-security-policy']).not.toContain('upgrade-insecure-requests')
    expect(headers['referrer-policy']).toBe('no-referrer')
  })

  it('says that it is not built', async () => {
    await using bare = await createHttpHarness()
    const response = await bare.app.inject({ url: '/', headers: page })
    expect(response.statusCode).toBe(404)
    expect(response.body).toContain('The app is not built')
  })
})

describe('other origins', () => {
  it('are allowed when they are configured, and only then', async () => {
    await using harness = await createHttpHarness({ CORS_ORIGIN: 'https://app.example' })
    const ask = (origin: string) => harness.app.inject({ url: '/health', headers: { origin } })
    expect((await ask('https://app.example')).headers['access-control-allow-origin']).toBe(
      'https://app.example',
    )
    expect((await ask('https://evil.example')).headers).not.toHaveProperty('access-control-allow-origin')
    await using closed = await createHttpHarness()
    const response = await closed.app.inject({ url: '/health', headers: { origin: 'https://app.example' } })
    expect(response.headers).not.toHaveProperty('access-control-allow-origin')
  })
})
