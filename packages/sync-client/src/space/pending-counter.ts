import type { SpaceId } from '@t69/protocol'

import type { Runtime } from '../runtime/index.ts'
import type { ClientStorage, PendingCounts } from '../storage/index.ts'

/** Counts the edits of a space that wait for the server or were refused. The leading tab changes both. */
export interface PendingCounter {
  /** The last counts. */
  readonly counts: PendingCounts
  /**
   * Counts again. Never rejects: if the storage fails, it is tried again later. `counted` is called just before the result
   * shows, or when there is none.
   */
  recount(counted?: () => void): Promise<void>
  /** Counts again and returns the result. Rejects if the storage fails. */
  countNow(): Promise<PendingCounts>
  /** From here on, a count that fails is not repeated. */
  stop(): void
  /** Repeats counts that fail again, after a stop. */
  start(): void
}

/** Pause before a failed count is repeated, in ms. */
const retryMs = 5_000

export function createPendingCounter(
  spaceId: SpaceId,
  deps: {
    readonly storage: ClientStorage
    readonly runtime: Runtime
    /** Called after a count, whether or not the result has changed. */
    readonly onCounted: () => void
  },
): PendingCounter {
  let counts: PendingCounts = { pending: 0, rejected: 0 }
  /** The number of the latest count. The result of an earlier one is ignored. */
  let latestCount = 0
  let cancel = (): void => {}
  let stopped = false

  function take(latest: PendingCounts): void {
    counts = latest
    deps.onCounted()
  }

  async function recount(counted = (): void => {}): Promise<void> {
    const number = ++latestCount
    cancel()
    const latest = await deps.storage.countPending(spaceId).catch(() => undefined)
    counted()
    if (number !== latestCount) return
    if (latest !== undefined) take(latest)
    else if (!stopped) cancel = deps.runtime.setTimer(() => void recount(), retryMs)
  }

  return {
    get counts() {
      return counts
    },
    recount,
    async countNow() {
      const latest = await deps.storage.countPending(spaceId)
      latestCount++
      if (latest.pending !== counts.pending || latest.rejected !== counts.rejected) take(latest)
      return latest
    },
    stop() {
      stopped = true
      latestCount++
      cancel()
    },
    start() {
      stopped = false
    },
  }
}
