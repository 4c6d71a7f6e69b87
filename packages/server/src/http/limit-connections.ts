import type { Server } from 'node:http'

import type { Logger } from '../ports/logger.ts'

/** How often it is logged at most that connections are turned away, in ms. */
const logEveryMs = 60_000

/**
 * Turns connections beyond `max` away at once, so that files of spaces can still be opened, and says so in the log. Where the
 * system itself runs out of descriptors, it turns connections away without a word.
 */
export function limitConnections(
  server: Server,
  max: number,
  deps: { readonly logger: Logger; readonly monotonic: () => number; readonly dropped: () => void },
): void {
  if (!Number.isFinite(max)) return
  const { logger, monotonic, dropped } = deps
  let loggedAt = -Infinity
  let since = 0
  server.maxConnections = max
  server.on('drop', () => {
    dropped()
    since += 1
    if (monotonic() - loggedAt < logEveryMs) return
    logger.warn(
      { connections: max, turnedAway: since },
      'connections are turned away: the limit of open files (ulimit -n) leaves no more files for them',
    )
    loggedAt = monotonic()
    since = 0
  })
}
