import type { ServerRuntime } from '../ports/server-runtime.ts'

/** How long before its end a token's expiry is announced, in ms. */
const warningMs = 60_000

/** The longest timer of JavaScript, in ms: a longer one fires at once. Longer waits take several timers. */
const maxTimerMs = 2 ** 31 - 1

/** The timers of one connection's access token. */
export interface TokenTimers {
  /** Starts again, for a token that expires at `expiresAt` (Unix milliseconds). */
  restart(expiresAt: number): void
  stop(): void
}

/** Calls `expiring` a minute before a token's end, or halfway if that is later, and `expired` at its end. */
export function createTokenTimers(
  { now, monotonic, setTimer }: ServerRuntime,
  on: { expiring: (expiresInMs: number) => void; expired: () => void },
): TokenTimers {
  let cancel = () => {}

  function waitUntil(at: number, then: () => void): void {
    const left = at - monotonic()
    cancel = setTimer(
      () => (left > maxTimerMs ? waitUntil(at, then) : then()),
      Math.max(0, Math.min(left, maxTimerMs)),
    )
  }

  return {
    restart: (expiresAt) => {
      cancel()
      const left = Math.max(0, expiresAt - now())
      // From here on the clock may be set.
      const endsAt = monotonic() + left
      waitUntil(endsAt - Math.min(warningMs, left / 2), () => {
        waitUntil(endsAt, on.expired)
        on.expiring(Math.max(0, Math.round(endsAt - monotonic())))
      })
    },
    stop: () => cancel(),
  }
}
