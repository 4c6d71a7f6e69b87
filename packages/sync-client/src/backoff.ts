import type { Runtime } from './runtime.ts'

export interface BackoffOptions {
  readonly baseMs: number
  readonly capMs: number
}

/** What a server asks for beyond this is not waited for. Timers take 2^31 ms at most, and fire at once beyond. */
const maxRetryAfterMs = 3_600_000

const defaults: BackoffOptions = { baseMs: 500, capMs: 30_000 }

/**
 * How long to wait before attempt number `attempt` (0 is the first retry): exponential with full jitter,
 * so that a server that comes back is not met by all its clients at once. At least a tenth of the base,
 * lest chance make a client spin. `retryAfterMs`, when the server named one, is a floor.
 */
export function backoffMs(
  attempt: number,
  chance: Pick<Runtime, 'random'>,
  retryAfterMs = 0,
  { baseMs, capMs }: BackoffOptions = defaults,
): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30))
  const jittered = Math.max(baseMs / 10, chance.random() * ceiling)
  // Whoever was told the same time would come back together too, hence the jitter on top.
  return Math.round(retryAfterMs > 0 ? Math.min(retryAfterMs, maxRetryAfterMs) + jittered / 4 : jittered)
}
