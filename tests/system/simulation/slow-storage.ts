import { type SpaceId, SyncError } from '@t69/protocol'
import type { Storage } from '@t69/server'

import type { Random } from '../../lib/random.ts'
import type { VirtualTime } from './time.ts'

/** How badly the server's storage behaves. */
export interface StorageFaults {
  /** The share of commits that fail: half of them before anything is written, half after everything is. */
  fail: number
  /** The longest time before a call takes effect, and then before it is answered. */
  maxDelayMs: number
}

export interface SlowStorageOptions {
  readonly time: VirtualTime
  readonly random: Random
  readonly faults: () => StorageFaults
  /** Whether the process still runs. After a kill, calls that have not begun never happen, and none is answered. */
  readonly isAlive: () => boolean
}

/**
 * A storage that takes its time. Calls about one space wait for each other, as its contract says; those about several
 * spaces overtake each other.
 */
export function createSlowStorage(inner: Storage, options: SlowStorageOptions): Storage {
  const { time, random, faults, isAlive } = options
  const lastCalls = new Map<SpaceId, Promise<unknown>>()
  const killed = new Promise<never>(() => {})

  async function pause(): Promise<void> {
    const delayMs = random.below(faults().maxDelayMs + 1)
    if (delayMs > 0) await new Promise<void>((resolve) => void time.setTimer(resolve, delayMs))
    if (!isAlive()) await killed
  }

  function slow<Given extends { readonly spaceId: SpaceId }, Answer>(
    call: (given: Given) => Promise<Answer>,
    mayFail = false,
  ): (given: Given) => Promise<Answer> {
    async function run(given: Given, before: Promise<unknown> | undefined): Promise<Answer> {
      await before
      await pause()
      const fails = mayFail && random.chance(faults().fail)
      if (fails && random.chance(0.5)) throw failure()
      const answer = await call(given)
      await pause()
      if (fails) throw failure()
      return answer
    }
    return (given) => {
      const answer = run(given, lastCalls.get(given.spaceId))
      lastCalls.set(
        given.spaceId,
        answer.catch(() => {}),
      )
      return answer
    }
  }

  return {
    ...inner,
    open: slow(inner.open),
    join: slow(inner.join),
    commit: slow(inner.commit, true),
    page: slow(inner.page),
    countTree: slow(inner.countTree),
    keepAccess: slow(inner.keepAccess),
    release: slow(inner.release),
    remove: slow(inner.remove),
  }
}

const failure = (): SyncError => new SyncError('storage_failed', 'the disk of the server failed')
