import type { IncomingMessage, ServerResponse } from 'node:http'

import { errorCodes, type ErrorBody } from '@t69/protocol'
import type { Server } from 'socket.io'

import type { Logger } from '../ports/logger.ts'
import { refusalOf, refuseRaw } from '../ports/raw-refusal.ts'
import { refusalDetails } from '../ports/refusal-details.ts'

/** Engine.IO's number of a refusal by `allowRequest`: see `limitAddresses`. */
const forbidden = 4
/** Engine.IO's number for a client that speaks an older revision of its protocol. */
const unsupportedRevision = 5

/**
 * Answers what Engine.IO refuses before a handshake as an `ErrorBody`, like all errors of the server. It announces each
 * refusal just before it answers, and does not answer where there is an answer already.
 */
export function refuseLikeHttp(
  io: Pick<Server, 'engine'>,
  tooManyRetryMs: number,
  log: { readonly logger: Logger; readonly addressOf: (request: IncomingMessage) => string },
): void {
  io.engine.on('connection_error', ({ req, code, message }: EngineRefusal) => {
    const body = bodyOf(code, message, tooManyRetryMs)
    log.logger.info({ address: log.addressOf(req), ...refusalDetails(body) }, 'a connection is refused')
    if (req.res === undefined) {
      refuseRaw(req.socket, body)
      return
    }
    if (req.res.headersSent) return
    const { headers, text } = refusalOf(body)
    req.res.writeHead(errorCodes[body.code].status, headers).end(text)
  })
}

function bodyOf(code: number, message: string, tooManyRetryMs: number): ErrorBody {
  switch (code) {
    case forbidden:
      return {
        code: 'rate_limited',
        message: 'far too many connections of this address are open',
        retryAfterMs: tooManyRetryMs,
      }
    case unsupportedRevision:
      return { code: 'unsupported_version', message }
    default:
      return { code: 'invalid_request', message }
  }
}

interface EngineRefusal {
  /** `res` is missing for a WebSocket. */
  readonly req: IncomingMessage & { readonly res?: ServerResponse }
  readonly code: number
  readonly message: string
}
