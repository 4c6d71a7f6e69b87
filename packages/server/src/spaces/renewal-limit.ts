import type { SpaceId } from '@t69/protocol'

/**
 * How long a log keeps a new id at least, in milliseconds. A restored backup takes one new id for each start of the
 * server; a member who invents positions would otherwise have every member read the log from its start each time.
 */
const renewalIntervalMs = 10 * 60_000

/** Limits how often a log gets a new id. */
export interface RenewalLimit {
  /** Takes a renewal, and returns 0. Otherwise returns how many milliseconds it has to wait. */
  take(spaceId: SpaceId): number
  forget(spaceId: SpaceId): void
}

export function createRenewalLimit(now: () => number): RenewalLimit {
  const renewedAt = new Map<SpaceId, number>()
  return {
    take: (spaceId) => {
      const at = now()
      const elapsedMs = at - (renewedAt.get(spaceId) ?? -Infinity)
      // A negative time means that the clock was set back: do not wait until it catches up.
      if (elapsedMs >= 0 && elapsedMs < renewalIntervalMs) return Math.ceil(renewalIntervalMs - elapsedMs)
      renewedAt.set(spaceId, at)
      return 0
    },
    forget: (spaceId) => void renewedAt.delete(spaceId),
  }
}
