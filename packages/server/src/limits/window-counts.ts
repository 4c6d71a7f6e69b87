import { LRUCache } from 'lru-cache'

/** Counts by key, each from zero again when its window is over. */
export interface WindowCounts {
  /** Counts one more. Returns the count, and how many milliseconds are left of the window. */
  take(key: string): { readonly count: number; readonly leftMs: number }
  /** Takes one off again. */
  giveBack(key: string): void
}

/** Keys that are remembered. */
const maxKeys = 5_000

/** A key's window begins with its first count. `monotonic` is in milliseconds, of a clock that nobody sets. */
export function createWindowCounts(windowMs: number, monotonic: () => number): WindowCounts {
  const windows = new LRUCache<string, { count: number; readonly endsAt: number }>({ max: maxKeys })

  return {
    take(key) {
      const at = monotonic()
      let window = windows.get(key)
      if (window === undefined || window.endsAt <= at) {
        window = { count: 0, endsAt: at + windowMs }
        windows.set(key, window)
      }
      window.count++
      return { count: window.count, leftMs: Math.ceil(window.endsAt - at) }
    },
    giveBack(key) {
      const window = windows.get(key)
      if (window !== undefined && window.count > 0) window.count--
    },
  }
}
