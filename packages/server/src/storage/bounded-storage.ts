import { type SpaceId, SyncError } from '@t69/protocol'

import type { Storage } from './storage.ts'

/** Openings that may wait for a place. Users reach their own limits long before. */
const maxWaiting = 10_000

/** Wait after a full queue, in ms. */
const retryAfterMs = 1_000

export interface BoundedStorage extends Storage {
  /** How many openings wait for a place. */
  readonly waiting: number
}

/**
 * A storage that has at most `maxOpen` logs open. Further ones wait until another was closed, in the order in which they
 * were asked for. Whoever uses it closes logs that it no longer needs: `Spaces` does, for the newest ones.
 */
export function boundOpenLogs(storage: Storage, maxOpen: number): BoundedStorage {
  /** Spaces whose log is open, being opened or being closed. */
  const held = new Set<SpaceId>()
  const waiting: { readonly spaceId: SpaceId; readonly enter: () => void }[] = []

  async function enter(spaceId: SpaceId): Promise<void> {
    if (held.has(spaceId)) return
    if (held.size < maxOpen) {
      held.add(spaceId)
      return
    }
    if (waiting.length >= maxWaiting) {
      throw new SyncError('unavailable', 'too many spaces wait to be opened', { retryAfterMs })
    }
    const entered = Promise.withResolvers<void>()
    waiting.push({ spaceId, enter: entered.resolve })
    await entered.promise
  }

  function leave(spaceId: SpaceId): void {
    if (!held.delete(spaceId)) return
    const next = waiting.shift()
    if (next === undefined) return
    held.add(next.spaceId)
    next.enter()
  }

  return {
    ...storage,
    get waiting() {
      return waiting.length
    },
    open: async (given) => {
      await enter(given.spaceId)
      let isOpen = false
      try {
        const opened = await storage.open(given)
        isOpen = opened !== 'deleted'
        return opened
      } finally {
        if (!isOpen) leave(given.spaceId)
      }
    },
    release: async (given) => {
      try {
        return await storage.release(given)
      } finally {
        leave(given.spaceId)
      }
    },
    remove: async (given) => {
      try {
        return await storage.remove(given)
      } finally {
        leave(given.spaceId)
      }
    },
  }
}
