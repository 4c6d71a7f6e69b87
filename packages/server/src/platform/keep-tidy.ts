import type { Logger } from '../ports/logger.ts'
import type { ServerRuntime } from '../ports/server-runtime.ts'
import type { Platform } from './platform.ts'
import { type ServerClock, settlingMs } from './server-clock.ts'

/** How often expired sessions and invites are removed, in ms. */
const intervalMs = 60 * 60 * 1000

/**
 * Removes expired sessions and invites every hour, and first when the clock has had the time to settle: what a wrong clock
 * removed would not come back. The returned function stops it.
 */
export function keepTidy(deps: {
  readonly platform: Pick<Platform, 'tidy'>
  readonly clock: Pick<ServerClock, 'now' | 'isSettled'>
  readonly runtime: Pick<ServerRuntime, 'setTimer'>
  readonly logger: Logger
}): () => void {
  const { platform, clock, runtime, logger } = deps
  let cancel = runtime.setTimer(tidy, settlingMs)
  return () => cancel()

  function tidy(): void {
    try {
      if (clock.isSettled()) platform.tidy(clock.now())
    } catch (error) {
      logger.error({ err: error }, 'expired sessions and invites cannot be removed')
    }
    cancel = runtime.setTimer(tidy, clock.isSettled() ? intervalMs : settlingMs)
  }
}
