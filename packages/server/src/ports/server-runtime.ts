/** Time, as the server's core takes it from its surroundings, so that a simulation can own it. */
export interface ServerRuntime {
  /** Unix milliseconds. */
  readonly now: () => number
  /** Calls back once after `delayMs`; returns what cancels it. */
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Calls back once, after what this turn of the event loop has received is handled: commits are grouped by it. */
  readonly schedule: (callback: () => void) => void
}

/** Timers do not keep the process alive. */
export const systemServerRuntime: ServerRuntime = {
  now: () => Date.now(),
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  // The check phase comes right after the poll phase, in which every socket that had data was read.
  schedule: (callback) => {
    setImmediate(callback)
  },
}
