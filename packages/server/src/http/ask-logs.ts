import { spaceIdSchema } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import type { AskedLogs } from '../ports/access.ts'
import { callerOf, isAuthenticated } from './authenticate.ts'

const paramsSchema = z.object({ spaceId: spaceIdSchema })

/**
 * A `preHandler` hook for every route about a space: its log is asked before the caller's role counts, which may have lost
 * it. The route itself then checks the role and acts in one turn.
 */
export function askLogs(access: AskedLogs) {
  return async (request: FastifyRequest): Promise<void> => {
    const params = paramsSchema.safeParse(request.params)
    if (!params.success || !isAuthenticated(request)) return
    await access.askLog(params.data.spaceId, callerOf(request).userId)
  }
}
