import type { OpId, VertexOperation } from 'reptree'

import { compareOpIds } from './op-order.ts'

/** A set of operation ids, kept as small integers for each peer. Strings would take several times the memory. */
export class KnownOps {
  readonly #counters = new Map<string, Set<number>>()

  /** Adds an id. Returns false if it was known. */
  add(id: OpId): boolean {
    let counters = this.#counters.get(id.peerId)
    if (counters === undefined) {
      counters = new Set()
      this.#counters.set(id.peerId, counters)
    }
    const before = counters.size
    return counters.add(id.counter).size > before
  }

  /** RepTree's state vector of these ids: for each peer, inclusive ranges of counters in ascending order. */
  toRanges(): Record<string, number[][]> {
    const ranges = new Map<string, number[][]>()
    for (const [peerId, counters] of this.#counters) {
      const ofPeer: number[][] = []
      let range: number[] | undefined
      for (const counter of [...counters].sort((a, b) => a - b)) {
        if (range?.[1] === counter - 1) range[1] = counter
        else ofPeer.push((range = [counter, counter]))
      }
      ranges.set(peerId, ofPeer)
    }
    return Object.fromEntries(ranges)
  }
}

/** The operations that a state vector does not cover, in the order of their ids. */
export function missingOps(
  ops: readonly VertexOperation[],
  stateVector: Readonly<Record<string, number[][]>>,
): VertexOperation[] {
  const ranges = new Map(Object.entries(stateVector))
  const missing = ops.filter(
    ({ id }) => !ranges.get(id.peerId)?.some(([from = 0, to = -1]) => from <= id.counter && id.counter <= to),
  )
  return missing.sort((a, b) => compareOpIds(a.id, b.id))
}
