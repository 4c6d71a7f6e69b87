import { expect, it } from 'vitest'

import { createWebSocketReader } from './web-socket-reader.ts'

const http = Buffer.from('GET /socket.io/ HTTP/1.1\r\nUpgrade: websocket\r\n\r\n')
const text = Buffer.concat([
  Buffer.from([0x81, 0x85, 1, 2, 3, 4]),
  Buffer.from('hello').map((byte, at) => byte ^ [1, 2, 3, 4][at % 4]!),
])
const long = Buffer.concat([Buffer.from([0x02, 126, 0x01, 0x00]), Buffer.alloc(256, 7)])
const ping = Buffer.from([0x89, 0])
const rest = Buffer.from([0x80, 2, 8, 9])

it.each([1, 3, 1_000])('returns complete messages when bytes arrive %d at a time', (size) => {
  const heard: string[] = []
  const read = createWebSocketReader(({ isBinary, payload }) =>
    heard.push(isBinary ? `${payload.length} bytes, ${payload.at(-1)} the last` : payload.toString()),
  )
  const all = Buffer.concat([http, text, long, ping, rest])
  for (let at = 0; at < all.length; at += size) read(all.subarray(at, at + size))
  expect(heard).toEqual(['hello', '258 bytes, 9 the last'])
})
