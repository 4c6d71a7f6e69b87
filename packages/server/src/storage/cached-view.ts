import type { TreeId, TreeOperation } from '@t69/protocol'

import type { OpLog } from '../logs/op-log.ts'
import type { LogView } from './admit.ts'

/** Trees of a space whose highest clock is remembered; then all are forgotten. Finding a clock again costs microseconds. */
const maxRememberedTrees = 1_000

export interface CachedView extends Pick<LogView, 'maxClock' | 'wasDeleted'> {
  /** The operations were committed. */
  raise(ops: readonly TreeOperation[]): void
}

/** A view of the log that remembers the highest committed clock of each tree. */
export function createCachedView(log: OpLog): CachedView {
  // An LRU cache would take its room when it is made: 30 kB of each open space, most of which have few trees.
  const clocks = new Map<TreeId, number>()
  return {
    wasDeleted: (vertex) => log.wasDeleted(vertex),
    maxClock: (treeId) => {
      let clock = clocks.get(treeId)
      if (clock === undefined) {
        if (clocks.size >= maxRememberedTrees) clocks.clear()
        clocks.set(treeId, (clock = log.maxClock(treeId)))
      }
      return clock
    },
    raise: (ops) => {
      for (const { treeId, clock } of ops) {
        const known = clocks.get(treeId)
        // A tree that is not remembered stays so: this clock may be below its highest, which the log knows.
        if (known !== undefined && clock > known) clocks.set(treeId, clock)
      }
    },
  }
}
