import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { ConfigError, parseConfig } from './config.ts'
import { withSecretFiles } from './secret-files.ts'
import { settingsOf } from './settings.ts'

const secret = 'a secret that is long enough, for once'

describe('a secret in a file', () => {
  let folder: string
  let file: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 't69-secrets-'))
    file = join(folder, 'jwt-secret')
    writeFileSync(file, `${secret}\n`)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('is the setting whose variable names the file, without the newline at its end', () => {
    const env = withSecretFiles({ JWT_SECRET_FILE: file, JWT_SECRET: '', PORT: '8080' })
    expect(parseConfig(env)).toMatchObject({ jwtSecret: secret, port: 8080 })
    expect(settingsOf(env)).toContainEqual({ name: 'JWT_SECRET', value: '(set)', from: 'file' })
  })

  it('counts as absent if the file is empty, as Compose passes one that nobody named', () => {
    const env = withSecretFiles({ JWT_SECRET_FILE: '/dev/null', METRICS_TOKEN_FILE: ' ', JWT_SECRET: secret })
    expect(parseConfig(env)).toMatchObject({ jwtSecret: secret, metricsToken: undefined })
    expect(settingsOf(env)).toContainEqual({ name: 'JWT_SECRET', value: '(set)', from: 'environment' })
  })

  it('is refused if it cannot be read or is given twice, and is named in no error', () => {
    const missing = join(folder, 'missing')
    const complaint = complaintAbout({
      JWT_SECRET: 'another secret that is long enough',
      JWT_SECRET_FILE: file,
      METRICS_TOKEN_FILE: missing,
    })
    expect(complaint).toContain('JWT_SECRET_FILE: JWT_SECRET is set too; set one of them')
    expect(complaint).toContain(`METRICS_TOKEN_FILE: cannot be read (ENOENT: no such file or directory`)
    expect(complaint).not.toContain('long enough')
    const provider = { OIDC_ISSUER: 'https://id.example.org', OIDC_CLIENT_SECRET_FILE: missing }
    const all = complaintAbout({ PORT: '99999', JWT_SECRET_FILE: missing, ...provider })
    expect(all).toMatch(
      /^the configuration is wrong:\n {2}JWT_SECRET_FILE: .*\n {2}OIDC_CLIENT_SECRET_FILE: .*\n {2}PORT: /,
    )
    expect(complaintAbout({ ...provider })).not.toContain('OIDC_CLIENT_SECRET:')
    writeFileSync(missing, 'short\n')
    expect(complaintAbout({ METRICS_TOKEN_FILE: missing })).toMatch(/^ {2}METRICS_TOKEN: must have/m)
  })
})

function complaintAbout(env: Record<string, string>): string {
  try {
    parseConfig(withSecretFiles(env))
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'nothing is wrong'
}
