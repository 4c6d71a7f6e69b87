import type { ServerRuntime } from '../ports/server-runtime.ts'
import type { Platform } from './platform.ts'

/** How often expired sessions and invites are removed, in ms. */
const intervalMs = 60 * 60 * 1000

/** Removes expired sessions and invites now and every hour. The returned function stops it. */
export function keepTidy(platform: Pick<Platform, 'tidy'>, { now, setTimer }: ServerRuntime): () => void {
  let cancel = (): void => {}
  tidy()
  return () => cancel()

  function tidy(): void {
    platform.tidy(now())
    cancel = setTimer(tidy, intervalMs)
  }
}
