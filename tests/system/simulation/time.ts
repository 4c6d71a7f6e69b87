/** Time that moves only when the simulation moves it. Timers due at the same moment fire in the order they were set. */
export interface VirtualTime {
  now(): number
  setTimer(callback: () => void, delayMs: number): () => void
  /** Lets `durationMs` pass, or less if `until` comes true. Resolves to whether it did. */
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
  // Few timers are ever pending at once, so a sorted array beats a heap.
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

/** Every promise that can resolve without time passing has: nothing in the simulation waits for real input or output. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}
