import { errorCodes, SyncError, type ErrorBody } from '@t69/protocol'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'

import { bodyOfFailure } from '../ports/error-body.ts'
import { noteRefusal } from './request-log.ts'

/** Answers every error, from a handler or from Fastify, as an `ErrorBody`. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const body = bodyOf(error)
  if (body.code === 'internal' || body.code === 'storage_failed') {
    request.log.error({ err: error, route: request.routeOptions.url }, 'a request failed')
  }
  sendError(reply, body)
}

export function sendError(reply: FastifyReply, body: ErrorBody): void {
  if (body.retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(body.retryAfterMs / 1000))
  void reply.header('cache-control', 'no-store')
  noteRefusal(reply.request, body)
  void reply.code(errorCodes[body.code].status).send({ error: body })
}

function bodyOf(error: FastifyError): ErrorBody {
  if (error instanceof SyncError) return error.body
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [first] = error.validation
    const at = first?.instancePath.split('/').filter(Boolean).join('.') ?? ''
    const where = at === '' ? (error.validationContext ?? 'request') : at
    return { code: 'invalid_request', message: `${where}: ${first?.message ?? 'is wrong'}`, at: where }
  }
  if (error.statusCode === 413) return { code: 'too_large', message: error.message }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return { code: 'invalid_request', message: error.message }
  }
  return bodyOfFailure(error)
}
