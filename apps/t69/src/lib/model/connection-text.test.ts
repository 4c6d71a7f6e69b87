import { expect, test } from 'vitest'

import { connectionText, type Connection } from './connection-text.ts'

const asked = { baseUrl: 'http://192.168.1.4:11434/v1', model: 'small' }
const text = (connection: Connection, isSecurePage = false) => connectionText(connection, asked, isSecurePage)

test('a connection is told in words, with what to do', () => {
  expect(text({ kind: 'works', models: ['small', 'large'] })).toBe('It works, and has 2 models.')
  expect(text({ kind: 'works', models: ['large'] })).toContain('“small” is not among')
  expect(text({ kind: 'works', models: [] })).toContain('lists no models')
  expect(text({ kind: 'refused', status: 401, words: '' })).toContain('does not accept the key')
  expect(text({ kind: 'refused', status: 404, words: 'Not Found' })).toContain('/v1')
  expect(text({ kind: 'refused', status: 500, words: 'Broken' })).toContain('Broken')
  expect(text({ kind: 'unreachable' })).toContain('no way to 192.168.1.4:11434')
  expect(text({ kind: 'unreachable' }, true)).toContain('HTTPS')
})
