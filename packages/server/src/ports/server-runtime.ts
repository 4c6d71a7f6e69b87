/** Time and scheduling, handed in so that a simulation can control them. */
export interface ServerRuntime {
  /** Unix milliseconds, by the machine's clock, which may be wrong and may be set. `createServerClock` says what to trust. */
  readonly now: () => number
  /** Milliseconds since an arbitrary moment. Never set: for durations, rates and waits. */
  readonly monotonic: () => number
  /** Milliseconds of a core that this thread has used. */
  readonly worked: () => number
  /** Calls back once after `delayMs`. The returned function cancels it. */
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Calls back once, after everything received in this turn of the event loop is handled. Groups commits. */
  readonly schedule: (callback: () => void) => void
}

/** The real clocks. Its timers do not keep the process alive. */
export const systemServerRuntime: ServerRuntime = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  worked: () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  },
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
