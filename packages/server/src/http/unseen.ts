import { randomInt } from 'node:crypto'
import type { EventEmitter } from 'node:events'

import type { ServerRuntime } from '../ports/server-runtime.ts'

/** How long it takes until work begins, in ms. */
const [soonestMs, latestMs] = [200, 2_000]

/**
 * Does work some time after the answer, so that neither how long the answer takes nor how long the next one does tells how much
 * there was to do. What has not begun when the server ends is not done.
 */
export function unseen(
  { raw }: { readonly raw: Pick<EventEmitter, 'once'> },
  setTimer: ServerRuntime['setTimer'],
  work: () => void,
): void {
  raw.once('close', () => void setTimer(work, randomInt(soonestMs, latestMs)))
}
