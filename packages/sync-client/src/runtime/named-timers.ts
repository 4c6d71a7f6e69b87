import type { Runtime } from './runtime.ts'

/** Timers by name. Setting a timer again replaces it. */
export interface NamedTimers<Name extends string> {
  set(name: Name, callback: () => void, delayMs: number): void
  /** Whether the timer is set and has not fired. */
  has(name: Name): boolean
  cancelAll(): void
}

export function createNamedTimers<Name extends string>(
  runtime: Pick<Runtime, 'setTimer'>,
): NamedTimers<Name> {
  const cancels = new Map<Name, () => void>()
  return {
    set(name, callback, delayMs) {
      cancels.get(name)?.()
      const fire = (): void => {
        cancels.delete(name)
        callback()
      }
      cancels.set(name, runtime.setTimer(fire, delayMs))
    },
    has: (name) => cancels.has(name),
    cancelAll() {
      for (const cancel of cancels.values()) cancel()
      cancels.clear()
    },
  }
}
