/** What the engine takes from its surroundings, so that a simulation can own time and chance. */
export interface Runtime {
  /** Unix milliseconds. For display and for `createdAt` only: devices' clocks are wrong. */
  now(): number
  /** In [0, 1), for jitter. */
  random(): number
  /** Calls back once after `delayMs`; returns what cancels it. */
  setTimer(callback: () => void, delayMs: number): () => void
}

export const systemRuntime: Runtime = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}
