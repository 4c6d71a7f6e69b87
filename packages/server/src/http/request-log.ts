import { type ErrorBody, type SpaceId, spaceIdSchema, type UserId } from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'

import type { Metrics } from '../ports/metrics.ts'
import { type RefusalDetails, refusalDetails } from '../ports/refusal-details.ts'

/** Whom and what a request is about, as far as it is known when it is answered. */
interface Subject {
  userId?: UserId
  spaceId?: SpaceId
  refusal?: RefusalDetails
}

const subjects = new WeakMap<FastifyRequest, Subject>()

function subjectOf(request: FastifyRequest): Subject {
  const found = subjects.get(request)
  if (found !== undefined) return found
  const subject: Subject = {}
  subjects.set(request, subject)
  return subject
}

/** Says whose request it is, for the log. */
export function noteUser(request: FastifyRequest, userId: UserId): void {
  subjectOf(request).userId = userId
}

/** Says which space the request is about, for the log, where its path does not. */
export function noteSpace(request: FastifyRequest, spaceId: SpaceId): void {
  subjectOf(request).spaceId = spaceId
}

/** Says why the request is refused, for the log. */
export function noteRefusal(request: FastifyRequest, body: ErrorBody): void {
  subjectOf(request).refusal = refusalDetails(body)
}

const paramsSchema = z.object({ spaceId: spaceIdSchema })

/**
 * Logs a request once it is answered, one line each, and counts it: who asked, from where, about which space, and where it was refused, the
 * code and why. Without the URL, which may hold an invite's token. The line has the id of the request.
 */
export function logAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  metrics: Pick<Metrics, 'answered' | 'refused'>,
): void {
  const { method, url } = request.routeOptions
  const {
    userId,
    spaceId = paramsSchema.safeParse(request.params).data?.spaceId,
    refusal,
  } = subjectOf(request)
  const details = {
    method,
    route: url,
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime),
    address: request.ip,
    ...(userId !== undefined && { userId }),
    ...(spaceId !== undefined && { spaceId }),
    ...refusal,
  }
  const route = `${request.method} ${url ?? '*'}`
  if (url !== undefined) metrics.answered(route, reply.statusCode, reply.elapsedTime / 1000)
  if (refusal !== undefined) metrics.refused(route, refusal.code)
  const message = refusal === undefined ? 'answered' : 'refused'
  const isOfInterest = reply.statusCode >= 500 || url?.startsWith('/api/') === true || url === '/metrics'
  if (isOfInterest) request.log.info(details, message)
  else request.log.debug(details, message)
}
