import type { TreeOperation } from '@t69/protocol'

import { restAfterMs, type Runtime } from '../runtime/index.ts'

/** Merges what the tab that leads hands on, at this tab's own pace: that one may have no such tree open. */
export interface PacedMerge {
  /** Merged at once, or with all else that gathers during a rest. */
  add(ops: readonly TreeOperation[]): void
  /** Something waits: what is shown lags behind what the tab that leads says of the log. */
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
