import type { Runtime } from '../runtime/index.ts'

/**
 * Notices that the tab that leads does not answer. A browser may freeze a tab while it leads, or be about to
 * end it; until then nothing that the other tabs write would go up, and nothing would come down.
 */
export interface LeaderWatch {
  /** The tab that leads has answered. */
  heard(): void
  /** It has something to do for this tab now: it is to answer. */
  expect(): void
  /** Somebody looks at this tab: it is to answer every few seconds, until `rest`. */
  look(): void
  rest(): void
  stop(): void
}

/** Even a tab that merges a large page answers sooner; one that does not loses the lead, which harms nothing. */
const answerMs = 3_000
const betweenMs = 10_000
/**
 * A watch that was frozen itself finds its own time run out before it reads what came meanwhile. So it asks
 * again before it says anything.
 */
const attempts = 2

export function createLeaderWatch(
  runtime: Runtime,
  { ask, onSilent }: { readonly ask: () => void; readonly onSilent: () => void },
): LeaderWatch {
  let looking = false
  let asked = 0
  let cancel = (): void => {}

  function next(): void {
    cancel()
    if (asked === attempts) {
      asked = 0
      onSilent()
      pause()
      return
    }
    asked++
    ask()
    cancel = runtime.setTimer(next, answerMs)
  }

  function pause(): void {
    cancel()
    if (looking) cancel = runtime.setTimer(next, betweenMs)
  }

  return {
    heard() {
      if (asked === 0) return
      asked = 0
      pause()
    },
    expect: () => void (asked === 0 && next()),
    look() {
      looking = true
      if (asked === 0) next()
    },
    rest() {
      looking = false
      if (asked === 0) cancel()
    },
    stop() {
      looking = false
      asked = 0
      cancel()
    },
  }
}
