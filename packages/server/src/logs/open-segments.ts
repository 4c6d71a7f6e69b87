import type { OpenBatch, TreeOperation } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import type { LogRange } from './op-log.ts'

/** Segments that a thread keeps open, for look-ups that come together. Each takes some 2 MB. */
const maxOpen = 8

interface Opened extends LogRange {
  readonly ops: OpenBatch
}

/** The segments of one log that were opened last. */
export interface OpenSegments {
  /** The open segment that has position `after + 1`. */
  find(after: number): Opened | undefined
  keep(range: LogRange, ops: OpenBatch): void
  /** Lets go of the segment that begins after `after`: it is about to grow. */
  drop(after: number): void
  /** The indices of the operations that have the clock of `op`. */
  indexOf(ops: OpenBatch, op: Pick<TreeOperation, 'clock'>): readonly number[]
  /** Lets go of all of them. */
  clear(): void
}

/** What all logs of a thread keep open together. `of` gives one log its part. */
export interface OpenSegmentsOfThread {
  of(): OpenSegments
}

export function createOpenSegments(): OpenSegmentsOfThread {
  const opened = new LRUCache<object, Opened & { readonly owner: object }>({ max: maxOpen })
  return {
    of: () => {
      const owner = {}
      const own = () => [...opened.entries()].filter(([, segment]) => segment.owner === owner)
      const indices = new WeakMap<OpenBatch, Map<number, number[]>>()
      return {
        find: (after) => {
          const [key] = own().find(([, it]) => it.after <= after && after < it.cursor) ?? []
          return key && opened.get(key)
        },
        keep: ({ after, cursor }, ops) => void opened.set({}, { after, cursor, ops, owner }),
        drop: (after) => {
          for (const [key, it] of own()) if (it.after === after) opened.delete(key)
        },
        indexOf: (ops, { clock }) => {
          let byClock = indices.get(ops)
          if (byClock === undefined) indices.set(ops, (byClock = indicesByClock(ops)))
          return byClock.get(clock) ?? []
        },
        clear: () => {
          for (const [key] of own()) opened.delete(key)
        },
      }
    },
  }
}

function indicesByClock(ops: OpenBatch): Map<number, number[]> {
  const byClock = new Map<number, number[]>()
  for (let at = 0; at < ops.count; at++) {
    const clock = ops.clockAt(at)
    const same = byClock.get(clock)
    if (same === undefined) byClock.set(clock, [at])
    else same.push(at)
  }
  return byClock
}
