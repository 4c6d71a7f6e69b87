import { describe, expect, it } from 'vitest'

import { misspeltSettings, settingsOf } from './settings.ts'

describe('the settings', () => {
  it('are shown as they are written, with their defaults, and without secrets', () => {
    const secret = 'a secret that is long enough, for once'
    const settings = settingsOf({ PORT: '8080', JWT_SECRET: secret, METRICS_TOKEN: '', PATH: '/bin' })
    const shown = Object.fromEntries(settings.map(({ name, value, from }) => [name, `${value} ${from}`]))
    expect(shown).toMatchObject({
      PORT: '8080 environment',
      JWT_SECRET: '(set) environment',
      METRICS_TOKEN: ' default',
      ACCESS_TOKEN_TTL: '15m default',
      REFRESH_TOKEN_TTL: '30d default',
      USER_QUOTA_BYTES: '10GB default',
      TRUST_PROXY: 'false default',
    })
    expect(shown).not.toHaveProperty('PATH')
  })

  it.each([
    ['DATADIR', 'DATA_DIR'],
    ['REGISTATION', 'REGISTRATION'],
    ['public_url', 'PUBLIC_URL'],
    ['T69_PORT', 'PORT'],
    ['JWT_SECRETFILE', 'JWT_SECRET_FILE'],
    ['T69_PUBLIC_URLS', 'PUBLIC_URL'],
    ['SIGN_IN_LIMIT_PER_ADRESS', 'SIGN_IN_LIMIT_PER_ADDRESS'],
  ])('are recognized when they are misspelt: %s', (name, meant) => {
    expect(misspeltSettings({ [name]: 'x' })).toEqual([{ name, meant }])
  })

  it('are told from what a shell, a container or Node have in their environment', () => {
    const usual =
      'PATH HOME HOSTNAME JWT_SECRET_FILE METRICS_TOKEN_FILE LANG PWD SHELL TERM USER LOGNAME NODE_ENV NODE_OPTIONS NODE_VERSION TZ POSTS CI DATA_DIR PORT ' +
      'npm_config_cache XDG_DATA_DIRS DBUS_SESSION_BUS_ADDRESS SSH_CONNECTION MAIL EDITOR LC_ALL HTTP_PROXY NO_PROXY'
    expect(misspeltSettings(Object.fromEntries(usual.split(' ').map((name) => [name, 'x'])))).toEqual([])
  })
})
