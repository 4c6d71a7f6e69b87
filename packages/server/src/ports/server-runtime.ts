/** Time and scheduling, handed in so that a simulation can control them. */
export interface ServerRuntime {
  /** Unix milliseconds. */
  readonly now: () => number
  /** Calls back once after `delayMs`. The returned function cancels it. */
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Calls back once, after everything received in this turn of the event loop is handled. Groups commits. */
  readonly schedule: (callback: () => void) => void
}

/** The real clock. Its timers do not keep the process alive. */
export const systemServerRuntime: ServerRuntime = {
  now: () => Date.now(),
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  // The check phase follows the poll phase, in which every socket with data was read.
  schedule: (callback) => {
    setImmediate(callback)
  },
}
