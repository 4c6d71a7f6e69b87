import type { Runtime } from './runtime.ts'

export interface BackoffOptions {
  readonly baseMs: number
  readonly capMs: number
}

/** The longest `retryAfterMs` that is respected, in ms. A timer over 2^31 ms would fire at once. */
const maxRetryAfterMs = 3_600_000

const defaults: BackoffOptions = { baseMs: 1000, capMs: 30_000 }

/**
 * Returns how long to wait before attempt number `attempt` (0 is the first retry), in ms: exponential backoff with
 * full jitter, so that a server that comes back does not meet all its clients at once.
 *
 *     wait = retryAfterMs + chance · max(min(cap, base · 2^attempt), min(cap, retryAfterMs / 2))
 *
 * and at least a tenth of the base, so that no client spins. The time that the server named is a floor; clients that
 * were told the same time spread over half as much again. So `n` clients that lose a server in one instant make at
 * most `n / base` attempts a second at first, half as many after each failure, and `n / cap` in the end.
 */
export function backoffMs(
  attempt: number,
  chance: Pick<Runtime, 'random'>,
  retryAfterMs = 0,
  { baseMs, capMs }: BackoffOptions = defaults,
): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30))
  const floor = Math.min(retryAfterMs, maxRetryAfterMs)
  const spread = Math.max(ceiling, Math.min(capMs, floor / 2))
  return Math.round(Math.max(baseMs / 10, floor + chance.random() * spread))
}
