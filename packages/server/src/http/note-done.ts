import type { SpaceId, UserId } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'

import type { AuditedAction } from '../platform/audit.ts'
import type { RouteDeps } from './route.ts'

/**
 * Notes in the audit table what a request has done. The actor is undefined where nobody was signed in. Never throws: it is done,
 * whatever becomes of the note.
 */
export type NoteDone = (
  request: FastifyRequest,
  actorId: UserId | undefined,
  action: AuditedAction,
  about?: { readonly userId?: UserId; readonly spaceId?: SpaceId },
) => void

export function createNoteDone({ platform, now }: Pick<RouteDeps, 'platform' | 'now'>): NoteDone {
  return (request, actorId, action, about = {}) => {
    try {
      platform.audit.note({ at: now(), actorId, action, address: request.ip, ...about })
    } catch (error) {
      request.log.error({ err: error, actorId, action, ...about }, 'what was done cannot be noted')
    }
  }
}
