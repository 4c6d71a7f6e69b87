import { SyncError } from '@t69/protocol'
import { expect, test } from 'vitest'

import { onServer, parseServerUrl } from './server-url.ts'

test.each([
  ['https://example.org', 'https://example.org/api/me'],
  ['https://example.org/', 'https://example.org/api/me'],
  ['http://nas.home:8080', 'http://nas.home:8080/api/me'],
  ['https://example.org/t69', 'https://example.org/t69/api/me'],
  ['https://example.org/t69/', 'https://example.org/t69/api/me'],
  ['https://example.org/a/b?x=1#y', 'https://example.org/a/b/api/me'],
])('a path on %s is below the path of the server', (url, expected) => {
  expect(onServer(url, '/api/me').href).toBe(expected)
})

test.each(['example.org', '', '/t69', 'ftp://example.org', 'localhost:3000'])(
  'names an address that is not a server’s: "%s"',
  (url) => {
    const parse = (): URL => parseServerUrl(url)
    expect(parse).toThrow(SyncError)
    expect(parse).toThrow(`"${url}" is not the address of a server`)
  },
)
