import type { TreeOperation } from '@t69/protocol'

import { restAfterMs, type Runtime } from '../runtime/index.ts'

/**
 * Merges operations that the leading tab passes on, at this tab's own pace: the leading tab may not have the tree open,
 * and then does not slow down for it.
 */
export interface PacedMerge {
  /** Merges at once; during a rest, together with everything else that gathers. */
  add(ops: readonly TreeOperation[]): void
  /** Operations wait: the trees lag behind the cursor that the leading tab reports. */
  readonly isBehind: boolean
  /** Drops what waits. */
  stop(): void
}

export function createPacedMerge(
  runtime: Runtime,
  merge: (ops: readonly TreeOperation[]) => void,
  /** Called when `isBehind` has changed. */
  onBehind: () => void = () => {},
): PacedMerge {
  let waiting: (readonly TreeOperation[])[] = []
  let cancel: (() => void) | null = null
  /** Operations wait for the end of a rest, and `onBehind` was told so. */
  let isResting = false

  function mergeWaiting(): void {
    cancel = null
    const ops = waiting.flat()
    waiting = []
    if (ops.length === 0) return
    const wasBehind = isResting
    isResting = false
    const startedAt = runtime.now()
    merge(ops)
    const restMs = restAfterMs(runtime.now() - startedAt, ops.length)
    if (restMs > 0) cancel = runtime.setTimer(mergeWaiting, restMs)
    if (wasBehind) onBehind()
  }

  return {
    add(ops) {
      waiting.push(ops)
      if (cancel === null) mergeWaiting()
      else if (!isResting) {
        isResting = true
        onBehind()
      }
    },
    get isBehind() {
      return waiting.length > 0
    },
    stop() {
      cancel?.()
      cancel = null
      waiting = []
      isResting = false
    },
  }
}
