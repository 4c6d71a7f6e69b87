import type { IncomingMessage, Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

import { type ErrorBody, SyncError } from '@t69/protocol'

import type { Logger } from '../ports/logger.ts'
import { refusalOf, refuseRaw } from '../ports/raw-refusal.ts'
import { refusalDetails } from '../ports/refusal-details.ts'
import type { HttpApp } from './route.ts'

/** Options of Node's server that leave to `answerParserErrors` what Node itself would answer without a body. */
export const leaveAnswersToUs = {
  requireHostHeader: false,
  // Only sockets change the protocol. Anything else that offers to, such as curl with HTTP/2, is answered as it asked.
  shouldUpgradeCallback: ({ headers, url = '' }: IncomingMessage): boolean => {
    const [path = ''] = url.split('?')
    const mayBeSocket = path.endsWith('/socket.io/') || !path.includes('/api/')
    return headers.upgrade?.toLowerCase() === 'websocket' && mayBeSocket
  },
} as const

/** Answers what Node refuses before there is a request, as an `ErrorBody` like all errors. */
export function answerParserError(error: { readonly code?: string }, socket: Duplex, logger: Logger): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const { status, body } = refusalFor(error.code)
  const address = socket instanceof Socket ? socket.remoteAddress : undefined
  logger.info({ status, address, ...refusalDetails(body) }, 'refused')
  refuseRaw(socket, body, status)
}

function refusalFor(code: string | undefined): { status: number; body: ErrorBody } {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        body: { code: 'invalid_request', message: 'The request took too long to arrive' },
      }
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, body: { code: 'too_large', message: 'The headers are too large' } }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, body: { code: 'too_large', message: 'The extensions of a chunk are too large' } }
    default:
      return { status: 400, body: { code: 'invalid_request', message: 'The request is not HTTP' } }
  }
}

/** Answers what Node would refuse without a body: a request without a host, and one that expects too much. */
export function answerParserErrors(app: HttpApp): void {
  app.addHook('onRequest', async ({ raw }) => {
    if (raw.httpVersion === '1.1' && raw.headers.host === undefined) {
      throw new SyncError('invalid_request', 'The request names no host', { at: 'host' })
    }
  })
  const server: Server = app.server
  server.on('connect', (_request, socket) => {
    refuseRaw(socket, { code: 'invalid_request', message: 'The server is no proxy' })
  })
  server.on('checkExpectation', (_request, response) => {
    const message = 'The server meets no expectation but 100-continue'
    const { headers, text } = refusalOf({ code: 'invalid_request', message, at: 'expect' })
    response.writeHead(417, headers).end(text)
  })
}
