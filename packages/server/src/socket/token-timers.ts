import type { ServerRuntime } from '../ports/server-runtime.ts'

/** How long before its expiry a token is announced to run out. */
const warningMs = 60_000

/** Longer timers fire at once in JavaScript; they are set in stretches. */
const maxTimerMs = 2 ** 31 - 1

export interface TokenTimers {
  /** Starts anew, for a token that expires at `expiresAt` (Unix milliseconds). */
  restart(expiresAt: number): void
  stop(): void
}

/** Calls `expiring` a minute before a token's end, or after half of its time when that is shorter, and `expired` then. */
export function createTokenTimers(
  { now, setTimer }: ServerRuntime,
  on: { expiring: (expiresInMs: number) => void; expired: () => void },
): TokenTimers {
  let cancel = () => {}

  function waitUntil(at: number, then: () => void): void {
    const left = at - now()
    cancel = setTimer(
      () => (left > maxTimerMs ? waitUntil(at, then) : then()),
      Math.max(0, Math.min(left, maxTimerMs)),
    )
  }

  return {
    restart: (expiresAt) => {
      cancel()
      const left = Math.max(0, expiresAt - now())
      waitUntil(expiresAt - Math.min(warningMs, left / 2), () => {
        waitUntil(expiresAt, on.expired)
        on.expiring(Math.max(0, Math.round(expiresAt - now())))
      })
    },
    stop: () => cancel(),
  }
}
