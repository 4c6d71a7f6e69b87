import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Milliseconds after which what was measured before does not count any more, but for one period. */
const periodMs = 60_000

/** Measures how long the event loop is held up. `heldUpMs` is what 99 of 100 turns of the last one or two minutes stayed below. */
export function watchEventLoop(monotonic: () => number): { heldUpMs(): number; stop(): void } {
  const delays = monitorEventLoopDelay({ resolution: 20 })
  delays.enable()
  let begun = monotonic()
  let before = 0

  return {
    heldUpMs() {
      // Node counts in nanoseconds, from the moment at which a turn was due. NaN before the first.
      const present = Math.max(0, (delays.percentile(99) || 0) / 1e6 - 20)
      const shown = Math.max(present, before)
      if (monotonic() - begun > periodMs) {
        before = monotonic() - begun > 2 * periodMs ? 0 : present
        begun = monotonic()
        delays.reset()
      }
      return Math.round(shown * 10) / 10
    },
    stop: () => void delays.disable(),
  }
}
