import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { ConfigError, environment, parseConfig } from './config.ts'

describe('the configuration', () => {
  it('has a default for every variable', () => {
    const config = parseConfig({})
    expect(config).toMatchObject({
      port: 3000,
      host: '127.0.0.1',
      accessTokenTtlMs: 900_000,
      refreshTokenTtlMs: 30 * 86_400_000,
      trustProxy: false,
      corsOrigins: [],
      sqliteSynchronous: 'full',
      registration: 'invite',
      storageThreads: 3,
    })
    // A heap of 512 MB holds 1,200,000 operations (docs/measurements.md), and undoing deletes may reach three quotas.
    expect(3 * config.quotas.spaceOps).toBeLessThanOrEqual(1_200_000)
    expect(config.quotas.spaceBytes).toBeLessThanOrEqual(256 * 1024 ** 2)
    expect(config.dataDir).toBe(`${process.cwd()}/data`)
    expect(config.staticDir).toMatch(/apps\/t69\/dist$/)
  })

  it('takes values from the environment', () => {
    const config = parseConfig({
      PORT: '0',
      PUBLIC_URL: 'https://t69.example/',
      ACCESS_TOKEN_TTL: '2s',
      REGISTRATION: 'closed',
      STORAGE_THREADS: '8',
      TRUST_PROXY: '10.0.0.0/8, loopback',
      CORS_ORIGIN: 'https://a.example, https://b.example/',
    })
    expect(config).toMatchObject({
      port: 0,
      publicUrl: 'https://t69.example',
      registration: 'closed',
      storageThreads: 8,
      accessTokenTtlMs: 2000,
      trustProxy: ['10.0.0.0/8', 'loopback'],
      corsOrigins: ['https://a.example', 'https://b.example'],
    })
  })

  it.each([
    ['true', true],
    ['False', false],
    ['1', 1],
    ['0', 0],
    [' 127.0.0.1 ', ['127.0.0.1']],
    ['Loopback,10.0.0.0/8,fd00::/8', ['loopback', '10.0.0.0/8', 'fd00::/8']],
  ])('takes %s for TRUST_PROXY', (text, trustProxy) => {
    expect(parseConfig({ TRUST_PROXY: text }).trustProxy).toEqual(trustProxy)
  })

  it.each(['caddy', '1, 127.0.0.1', '-1', '1.5', 'yes please', '10.0.0.0/99', ','])(
    'says in one sentence what TRUST_PROXY may be instead of "%s"',
    (text) => {
      const given = JSON.stringify(text)
      expect(complaintAbout({ TRUST_PROXY: text })).toBe(
        'the configuration is wrong:\n  TRUST_PROXY: must be true, false, a number of proxies up to 99, or addresses ' +
          `with commas between (also: loopback, linklocal, uniquelocal) (is ${given})`,
      )
    },
  )

  it.each([
    ['https://t69.example/chat/', 'https://t69.example/chat'],
    ['HTTP://NAS.home:80/a/b/', 'http://nas.home/a/b'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
  ])('takes a path in PUBLIC_URL: %s', (text, publicUrl) => {
    expect(parseConfig({ PUBLIC_URL: text }).publicUrl).toBe(publicUrl)
  })

  it.each([
    ['https://t69.example/?a=1', 'no query'],
    ['https://t69.example/#a', 'no fragment'],
    ['https://me@t69.example/', 'no user'],
    ['https://t69.example/a b', 'a path of letters'],
    ['https://t69.example/"><script>', 'a path of letters'],
    ['https://t69.example/a//b', 'a path of letters'],
    ['https://t69.example/api', 'one of the server’s own'],
    ['https://t69.example/docs/t69', 'one of the server’s own'],
  ])('refuses PUBLIC_URL %s', (text, why) => {
    expect(complaintAbout({ PUBLIC_URL: text })).toContain(why)
  })

  it('takes the origins of CORS_ORIGIN as browsers write them, and no paths', () => {
    expect(parseConfig({ CORS_ORIGIN: 'https://A.example:443/,http://b.example:80' }).corsOrigins).toEqual([
      'https://a.example',
      'http://b.example',
    ])
    expect(complaintAbout({ CORS_ORIGIN: 'https://a.example/app' })).toContain('without a path')
  })

  it('sends mail only with a sender, and with an address that its links lead to', () => {
    const SMTP_URL = 'smtps://t69:hunter2@mail.example'
    const MAIL_FROM = 't69 <t69@example.org>'
    expect(parseConfig({}).mail).toBeUndefined()
    expect(parseConfig({ MAIL_FROM }).mail).toBeUndefined()
    expect(parseConfig({ SMTP_URL, MAIL_FROM, PUBLIC_URL: 'https://t69.example/' }).mail).toEqual({
      smtpUrl: SMTP_URL,
      from: MAIL_FROM,
      publicUrl: 'https://t69.example',
    })
    expect(complaintAbout({ SMTP_URL })).toBe(
      'the configuration is wrong:\n  MAIL_FROM: must be set where SMTP_URL is: mail has a sender\n' +
        '  PUBLIC_URL: must be set where SMTP_URL is: mail has links to it',
    )
  })

  it('takes a provider with all that it needs, and over plain HTTP only on this machine', () => {
    const OIDC_ISSUER = 'https://id.example/realms/t69'
    const rest = { OIDC_CLIENT_ID: 't69', OIDC_CLIENT_SECRET: 'hunter2', PUBLIC_URL: 'https://t69.example' }
    expect(parseConfig({}).oidc).toBeUndefined()
    expect(parseConfig({ OIDC_ISSUER, ...rest }).oidc).toEqual({
      issuer: OIDC_ISSUER,
      clientId: 't69',
      clientSecret: 'hunter2',
      name: 'id.example',
    })
    expect(parseConfig({ OIDC_ISSUER, OIDC_NAME: 'Work', ...rest }).oidc?.name).toBe('Work')
    expect(parseConfig({ ...rest, OIDC_ISSUER: 'http://localhost:8080/' }).oidc).toBeDefined()
    expect(complaintAbout({ ...rest, OIDC_ISSUER: 'http://id.example' })).toContain(
      'https, or of this machine',
    )
    expect(complaintAbout({ OIDC_ISSUER }).split('\n')).toEqual([
      'the configuration is wrong:',
      '  OIDC_CLIENT_ID: must be set where OIDC_ISSUER is: the provider gives it',
      '  OIDC_CLIENT_SECRET: must be set where OIDC_ISSUER is: the provider gives it',
      '  PUBLIC_URL: must be set where OIDC_ISSUER is: people come back to it',
    ])
  })

  it('counts empty values as absent, as Compose passes them', () => {
    expect(parseConfig({ PORT: '', PUBLIC_URL: ' ' })).toMatchObject({ port: 3000, publicUrl: undefined })
  })

  it('are all passed on by docker-compose.yml, but those that the image sets', () => {
    const compose = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8')
    const passed = [...compose.matchAll(/^ {6}([A-Z_]+): \$\{\1:-\}$/gm)].map(([, name]) => name)
    const ofImage = ['PORT', 'HOST', 'DATA_DIR', 'STATIC_DIR']
    expect(new Set([...passed, ...ofImage])).toEqual(new Set(Object.keys(environment.shape)))
  })

  it('names every bad value in one error, and no secret', () => {
    const env = {
      PORT: '70000',
      PUBLIC_URL: 'ftp://x',
      JWT_SECRET: 'hunter2',
      SMTP_URL: 'https://t69:hunter2@mail.example',
      MAIL_FROM: 'the server',
      METRICS_TOKEN: 'hunter2 and a space, but quite long',
      ACCESS_TOKEN_TTL: 'soon',
      TRUST_PROXY: 'my proxy!',
      CORS_ORIGIN: '*',
      LOG_LEVEL: 'loud',
      REGISTRATION: 'invited',
      SQLITE_SYNCHRONOUS: 'off',
      MAX_OPEN_SPACES: '-1',
      STORAGE_THREADS: '0',
      KEEP_SET_ASIDE: 'for ever',
    }
    const message = complaintAbout(env)
    for (const name of Object.keys(env)) expect(message).toContain(`  ${name}: `)
    expect(message.split('\n')).toHaveLength(1 + Object.keys(env).length)
    expect(message).toContain('PORT: must be a whole number from 0 to 65535 (is "70000")')
    expect(message).not.toContain('hunter2')
  })
})

function complaintAbout(env: Record<string, string>): string {
  try {
    parseConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'nothing is wrong'
}
