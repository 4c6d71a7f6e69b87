import type { SpaceId } from '@t69/protocol'

/**
 * How long a log keeps a new id at least, in milliseconds. A restored backup takes one new id for each start of the
 * server; a member who invents positions would otherwise have every member read the log from its start each time.
 */
const renewalIntervalMs = 10 * 60_000

/** Limits how often a log gets a new id. */
export interface RenewalLimit {
  /** How many milliseconds the next new id has to wait; 0 if it may be now. */
  waitMs(spaceId: SpaceId): number
  /** The log got a new id. */
  renewed(spaceId: SpaceId): void
  forget(spaceId: SpaceId): void
}

export function createRenewalLimit(monotonic: () => number): RenewalLimit {
  const renewedAt = new Map<SpaceId, number>()
  return {
    waitMs: (spaceId) => {
      const elapsedMs = monotonic() - (renewedAt.get(spaceId) ?? -Infinity)
      return Math.max(0, Math.ceil(renewalIntervalMs - elapsedMs))
    },
    renewed: (spaceId) => void renewedAt.set(spaceId, monotonic()),
    forget: (spaceId) => void renewedAt.delete(spaceId),
  }
}
