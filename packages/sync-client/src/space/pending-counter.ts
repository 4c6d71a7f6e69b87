import type { SpaceId } from '@t69/protocol'

import type { Runtime } from '../runtime/index.ts'
import type { ClientStorage, PendingCounts } from '../storage/index.ts'

/** What of a space waits for the server, or was refused, as last counted: the tab that leads changes it. */
export interface PendingCounter {
  readonly counts: PendingCounts
  /** Never rejects: what the storage cannot count now is counted a while later. */
  recount(): Promise<void>
  /** What is stored now. Rejects where the storage fails. */
  countNow(): Promise<PendingCounts>
  stop(): void
}

/** How long a storage is left alone that could not be read. */
const againMs = 5_000

export function createPendingCounter(
  spaceId: SpaceId,
  deps: {
    readonly storage: ClientStorage
    readonly runtime: Runtime
    /** Counted, and perhaps as before. */
    readonly onCounted: () => void
  },
): PendingCounter {
  let counts: PendingCounts = { pending: 0, rejected: 0 }
  /** A count that was overtaken by a later one says nothing. */
  let number = 0
  let cancel = (): void => {}

  function take(latest: PendingCounts): void {
    counts = latest
    deps.onCounted()
  }

  async function recount(): Promise<void> {
    const own = ++number
    cancel()
    const latest = await deps.storage.countPending(spaceId).catch(() => undefined)
    if (own !== number) return
    if (latest === undefined) cancel = deps.runtime.setTimer(() => void recount(), againMs)
    else take(latest)
  }

  return {
    get counts() {
      return counts
    },
    recount,
    async countNow() {
      const latest = await deps.storage.countPending(spaceId)
      number++
      if (latest.pending !== counts.pending || latest.rejected !== counts.rejected) take(latest)
      return latest
    },
    stop() {
      number++
      cancel()
    },
  }
}
