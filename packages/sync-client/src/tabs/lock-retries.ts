import { backoffMs, type Runtime } from '../runtime/index.ts'

/**
 * When to ask again for a lock that should be held for as long as a page lives. A lock that another tab took is asked
 * for at once, since the request waits in line. One that the browser refuses, or grants and takes away again, is asked
 * for after pauses that grow: WebKit refuses every lock to a page that goes, and cannot end a page that never pauses.
 */
export interface LockRetries {
  /** The lock is held. */
  granted(): void
  /** The lock was lost or refused, for this reason: asks again, unless the tab closes meanwhile. */
  refused(reason: unknown, ask: () => void): void
  /** Takes back what `refused` has scheduled. */
  cancel(): void
}

/** Short, since no tab syncs while none leads, and a refused request costs the browser little. */
const backoff = { baseMs: 100, capMs: 5_000 }
/** A lock that is lost sooner than this, in ms, does not end a row of failures, however often it is granted. */
const steadyMs = 1_000

export function createLockRetries(runtime: Runtime, signal: AbortSignal): LockRetries {
  let failures = 0
  let heldSince: number | null = null
  let cancelTimer = (): void => {}
  const cancel = (): void => cancelTimer()
  signal.addEventListener('abort', cancel)

  return {
    granted() {
      heldSince = runtime.now()
    },
    refused(reason, ask) {
      if (signal.aborted) return
      if (heldSince !== null && runtime.now() - heldSince >= steadyMs) failures = 0
      const isFirstTaken = heldSince !== null && isAbort(reason) && failures === 0
      const delayMs = backoffMs(failures++, runtime, 0, backoff)
      heldSince = null
      cancel()
      if (isFirstTaken) ask()
      else cancelTimer = runtime.setTimer(ask, delayMs)
    },
    cancel,
  }
}

/** Web Locks reject with an AbortError when another tab takes a lock. */
function isAbort(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'AbortError'
}
