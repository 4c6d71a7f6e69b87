import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

import { errorCodes, type ErrorBody } from '@t69/protocol'

/** The answer to a request that never became one for the routes: like theirs, and never kept by a cache. */
export function refusalOf(body: ErrorBody): {
  readonly headers: Record<string, string>
  readonly text: string
} {
  const text = JSON.stringify({ error: body })
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    connection: 'close',
    ...(body.retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(body.retryAfterMs / 1000)) }),
  }
  return { headers, text }
}

/** Answers where there is a connection and no response, and ends the connection. Default status: that of the code. */
export function refuseRaw(
  socket: Duplex,
  body: ErrorBody,
  status: number = errorCodes[body.code].status,
): void {
  if (!socket.writable) return
  const { headers, text } = refusalOf(body)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`, () =>
    socket.destroy(),
  )
}
