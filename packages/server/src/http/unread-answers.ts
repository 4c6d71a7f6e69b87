import type { ServerResponse } from 'node:http'

import { SyncError, type UserId } from '@t69/protocol'

/** Large answers that may wait for one user, in memory and of any size. Two devices may read at once. */
const maxUnread = 2

/** Large answers that are sent and not read yet. */
export interface UnreadAnswers {
  /** Throws `rate_limited` when the user has to read an answer first. */
  check(userId: UserId): void
  /** Counts one, until the connection has taken it or is closed. */
  add(userId: UserId, response: ServerResponse): void
}

export function createUnreadAnswers(): UnreadAnswers {
  const counts = new Map<UserId, number>()
  const of = (userId: UserId): number => counts.get(userId) ?? 0
  return {
    check: (userId) => {
      if (of(userId) < maxUnread) return
      throw new SyncError('rate_limited', 'read what was answered first', { retryAfterMs: 1_000 })
    },
    add: (userId, response) => {
      counts.set(userId, of(userId) + 1)
      response.once('close', () => {
        if (of(userId) > 1) counts.set(userId, of(userId) - 1)
        else counts.delete(userId)
      })
    },
  }
}
