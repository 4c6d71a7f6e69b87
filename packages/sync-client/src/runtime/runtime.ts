/** Time and chance, passed in so that a test or a simulation can control them. `systemRuntime` is the real one. */
export interface Runtime {
  /** Unix milliseconds by this device's clock, which may be wrong or set back: it never decides an order. */
  now(): number
  /** A number in [0, 1), for jitter. */
  random(): number
  /** Calls back once, after `delayMs` or later. Returns a function that cancels it. */
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
