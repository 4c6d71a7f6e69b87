import type { Runtime } from '../runtime.ts'

export interface ManualTime extends Runtime {
  /** The delays from now of the timers that have not fired, in ms, soonest first. */
  readonly waiting: readonly number[]
  /** Lets time pass, and fires the timers that are due, in order. */
  pass(ms: number): Promise<void>
}

/** A runtime whose clock stands still until a test moves it, and whose `random` always returns `chance`. */
export function createManualTime(chance = 0.5): ManualTime {
  let now = 1_000_000
  const timers = new Set<{ at: number; callback: () => void }>()
  const next = () => [...timers].toSorted((a, b) => a.at - b.at)[0]
  return {
    now: () => now,
    random: () => chance,
    setTimer(callback, delayMs) {
      const timer = { at: now + delayMs, callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    get waiting() {
      return [...timers].map(({ at }) => at - now).toSorted((a, b) => a - b)
    },
    async pass(ms) {
      const end = now + ms
      await turns()
      for (let timer = next(); timer !== undefined && timer.at <= end; timer = next()) {
        timers.delete(timer)
        now = timer.at
        timer.callback()
        await turns()
      }
      now = end
      await turns()
    },
  }
}

/** Runs the callbacks of settled promises, and of those that these settle, up to 50 links deep. */
export async function turns(): Promise<void> {
  for (let count = 0; count < 50; count++) await Promise.resolve()
}
