/** Time that only the simulation advances. Timers due at the same moment fire in the order in which they were set. */
export interface VirtualTime {
  now(): number
  setTimer(callback: () => void, delayMs: number): () => void
  /** Advances by `durationMs`, or less if `until` becomes true. Resolves with whether it did. */
  advance(durationMs: number, until?: () => boolean): Promise<boolean>
}

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly callback: () => void
}

export function createVirtualTime(startMs: number): VirtualTime {
  let nowMs = startMs
  let order = 0
  // Few timers are pending at once, so a sorted array is faster than a heap.
  const timers: Timer[] = []

  return {
    now: () => nowMs,
    setTimer: (callback, delayMs) => {
      const timer = { dueMs: nowMs + Math.max(0, delayMs), order: order++, callback }
      let index = timers.length
      while (index > 0 && (timers[index - 1]?.dueMs ?? 0) > timer.dueMs) index--
      timers.splice(index, 0, timer)
      return () => {
        const at = timers.indexOf(timer)
        if (at >= 0) timers.splice(at, 1)
      }
    },
    advance: async (durationMs, until = () => false) => {
      const endMs = nowMs + durationMs
      await settled()
      while (!until()) {
        const timer = timers[0]
        if (timer === undefined || timer.dueMs > endMs) {
          nowMs = endMs
          return until()
        }
        timers.shift()
        nowMs = Math.max(nowMs, timer.dueMs)
        timer.callback()
        await settled()
      }
      return true
    },
  }
}

/** Waits until every promise that needs no time has resolved: nothing in the simulation waits for real I/O. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}
