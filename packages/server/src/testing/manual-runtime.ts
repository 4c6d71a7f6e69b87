import type { ServerRuntime } from '../ports/server-runtime.ts'

/** Time that passes only when a test says so. */
export interface ManualRuntime extends ServerRuntime {
  /** Ends the turn of the event loop: runs scheduled callbacks. */
  turn(): void
  /** Lets time pass, and fires timers in order. */
  advance(ms: number): void
  /** Sets the clock, as an administrator does. Timers and the monotonic clock do not move. */
  set(now: number): void
  /** Has the thread work. */
  work(ms: number): void
  readonly timers: number
}

export function createManualRuntime(startAt = 1_000_000): ManualRuntime {
  let time = startAt
  let worked = 0
  /** How far the clock was set. */
  let offset = 0
  let scheduled: (() => void)[] = []
  const timers = new Set<{ at: number; callback: () => void }>()
  return {
    now: () => time + offset,
    monotonic: () => time,
    worked: () => worked,
    work: (ms) => void (worked += ms),
    setTimer: (callback, delayMs) => {
      const timer = { at: time + delayMs, callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    schedule: (callback) => void scheduled.push(callback),
    turn: () => {
      const callbacks = scheduled
      scheduled = []
      for (const callback of callbacks) callback()
    },
    advance: (ms) => {
      const end = time + ms
      for (;;) {
        const next = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers.delete(next)
        time = Math.max(time, next.at)
        next.callback()
      }
      time = end
    },
    set: (now) => void (offset = now - time),
    get timers() {
      return timers.size
    },
  }
}
