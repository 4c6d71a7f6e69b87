import { once } from 'node:events'
import { createServer } from 'node:http'

import { expect, test } from 'vitest'

import { createNetworkLink } from './network-link.ts'

async function echoServer() {
  const server = createServer((_request, response) => response.end('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.dispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

test('a link passes requests on, refuses them while it is cut, and passes them on again', async () => {
  using server = await echoServer()
  await using link = await createNetworkLink(server.url)
  expect(await fetch(link.url).then((response) => response.text())).toBe('hello')
  link.cut()
  await expect(fetch(link.url)).rejects.toThrow('fetch failed')
  link.restore()
  expect(await fetch(link.url).then((response) => response.text())).toBe('hello')
})

test('a stalled link delivers nothing until it is restored, and then everything', async () => {
  using server = await echoServer()
  await using link = await createNetworkLink(server.url)
  link.stall()
  const answer = fetch(link.url).then((response) => response.text())
  const first = await Promise.race([answer, fetch(server.url).then(() => 'the direct way was faster')])
  expect(first).toBe('the direct way was faster')
  link.restore()
  expect(await answer).toBe('hello')
})
