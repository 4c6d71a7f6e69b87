import type { ClientStorage } from '@t69/sync-client'

import type { Random } from '../../lib/random.ts'
import type { VirtualTime } from './time.ts'

/** How badly a device's disk behaves. */
export interface DiskFaults {
  /** The share of transactions that fail without a change. */
  fail: number
  maxDelayMs: number
}

export const goodDisk: DiskFaults = { fail: 0, maxDelayMs: 0 }

export interface DiskOptions {
  readonly time: VirtualTime
  readonly random: Random
  readonly faults: () => DiskFaults
  /** Whether the tab still runs. After a crash, transactions that have not begun never happen. */
  readonly isAlive: () => boolean
  /** Delivers an outcome to the tab, or later if it is frozen. */
  readonly hand: (task: () => void) => void
}

/** A storage as a tab sees it: each transaction takes time before and after, and some fail. */
export function createDisk(storage: ClientStorage, options: DiskOptions): ClientStorage {
  const { time, random, faults, isAlive, hand } = options

  const pause = (): Promise<void> | undefined => {
    const delayMs = random.below(faults().maxDelayMs + 1)
    return delayMs === 0 ? undefined : new Promise((resolve) => void time.setTimer(resolve, delayMs))
  }

  const slow =
    <Args extends unknown[], Result>(transact: (...args: Args) => Promise<Result>, after = pause) =>
    (...args: Args): Promise<Result> =>
      new Promise((resolve, reject) => {
        async function run(): Promise<void> {
          await pause()
          if (!isAlive()) return
          if (random.chance(faults().fail)) return hand(() => reject(new Error('the disk failed')))
          try {
            const result = await transact(...args)
            await after()
            hand(() => resolve(result))
          } catch (error) {
            hand(() => reject(error))
          }
        }
        void run()
      })

  return {
    listSpaces: slow(() => storage.listSpaces()),
    getSpace: slow((id) => storage.getSpace(id)),
    putSpace: slow((space) => storage.putSpace(space)),
    deleteSpace: slow((id) => storage.deleteSpace(id)),
    readTree: slow((id, treeId) => storage.readTree(id, treeId)),
    // A write that was stored but not reported would be reported by the tab's journal, which is not simulated.
    appendLocal: slow(
      (id, ops) => storage.appendLocal(id, ops),
      () => undefined,
    ),
    appendRemote: slow((id, ops, state, attested) => storage.appendRemote(id, ops, state, attested)),
    readAttested: slow((id, treeId) => storage.readAttested(id, treeId)),
    listTrees: slow((id) => storage.listTrees(id)),
    getProof: slow((id) => storage.getProof(id)),
    keepRegistration: slow((id, made) => storage.keepRegistration(id, made)),
    putSeal: slow((id, seal) => storage.putSeal(id, seal)),
    getSyncState: slow((id) => storage.getSyncState(id)),
    putSyncState: slow((id, state) => storage.putSyncState(id, state)),
    readOutbox: slow((id, budget) => storage.readOutbox(id, budget)),
    outboxRange: slow((id) => storage.outboxRange(id)),
    settleOutbox: slow((id, entries, refused, state, attested) =>
      storage.settleOutbox(id, entries, refused, state, attested),
    ),
    takeStrays: slow((id) => storage.takeStrays(id)),
    countPending: slow((id) => storage.countPending(id)),
    readRejected: slow((id) => storage.readRejected(id)),
    retryRejected: slow((id, renamed) => storage.retryRejected(id, renamed)),
    discardRejected: slow((id) => storage.discardRejected(id)),
    queueMissing: slow((id, logId, mayQueue) => storage.queueMissing(id, logId, mayQueue)),
    getConfig: slow((key) => storage.getConfig(key)),
    putConfig: slow((key, value) => storage.putConfig(key, value)),
    forLeader: () => createDisk(storage.forLeader(), options),
    onEmptied: (listener) => storage.onEmptied(listener),
    volatileReason: storage.volatileReason,
    close: () => storage.close(),
  }
}
