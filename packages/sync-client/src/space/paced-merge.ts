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
  stop(): void
}

export function createPacedMerge(
  runtime: Runtime,
  merge: (ops: readonly TreeOperation[]) => void,
): PacedMerge {
  let waiting: (readonly TreeOperation[])[] = []
  let cancel: (() => void) | null = null

  function mergeWaiting(): void {
    cancel = null
    const ops = waiting.flat()
    waiting = []
    if (ops.length === 0) return
    const startedAt = runtime.now()
    merge(ops)
    const restMs = restAfterMs(runtime.now() - startedAt, ops.length)
    if (restMs > 0) cancel = runtime.setTimer(mergeWaiting, restMs)
  }

  return {
    add(ops) {
      waiting.push(ops)
      if (cancel === null) mergeWaiting()
    },
    get isBehind() {
      return waiting.length > 0
    },
    stop() {
      cancel?.()
      waiting = []
    },
  }
}
