import type { Runtime } from '../runtime/index.ts'

/**
 * Notices that the leading tab does not answer. A browser may freeze a tab while it leads, or be about to end it. Until
 * another tab leads, no edit of any tab is sent, and nothing is received.
 */
export interface LeaderWatch {
  /** The leader has answered. */
  heard(): void
  /** The leader has work to do for this tab now, and has to answer. */
  expect(): void
  /** Somebody looks at this tab: the leader has to answer every few seconds, until `rest`. */
  look(): void
  /** Nobody looks at this tab any more. */
  rest(): void
  stop(): void
}

/**
 * How long to wait for an answer, in ms. Even a tab that merges a large page answers sooner. If it does not, it loses the
 * lead, which is harmless.
 */
const answerMs = 3_000
/** Pause between an answer and the next question while somebody looks, in ms. */
const betweenMs = 10_000
/**
 * Questions before the leader counts as silent. A watch that was frozen itself finds its time run out before it has read
 * the messages that came meanwhile, so it asks again.
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
