import type { OpId } from 'reptree'

/** A set of operation ids. Counters are kept a peer, as small integers: strings cost several times more. */
export class KnownOps {
  readonly #counters = new Map<string, Set<number>>()

  has(id: OpId): boolean {
    return this.#counters.get(id.peerId)?.has(id.counter) ?? false
  }

  /** False when it was there already. */
  add(id: OpId): boolean {
    let counters = this.#counters.get(id.peerId)
    if (counters === undefined) {
      counters = new Set()
      this.#counters.set(id.peerId, counters)
    }
    if (counters.has(id.counter)) return false
    counters.add(id.counter)
    return true
  }

  /** The ids as RepTree's state vector: for each peer, inclusive ranges of counters in ascending order. */
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
