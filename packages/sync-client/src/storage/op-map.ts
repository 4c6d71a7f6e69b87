import type { PeerId, TreeOperation } from '@t69/protocol'

type OpId = Pick<TreeOperation, 'clock' | 'peerId'>

/**
 * Values by the ids of one tree's operations. Finds them by peer, then by clock: a text of both would have to be made for
 * each operation.
 */
export class OpMap<Value> {
  readonly #peers = new Map<PeerId, Map<number, Value>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get({ peerId, clock }: OpId): Value | undefined {
    return this.#peers.get(peerId)?.get(clock)
  }

  set({ peerId, clock }: OpId, value: Value): void {
    let clocks = this.#peers.get(peerId)
    if (clocks === undefined) this.#peers.set(peerId, (clocks = new Map<number, Value>()))
    this.#size -= clocks.size
    clocks.set(clock, value)
    this.#size += clocks.size
  }

  delete({ peerId, clock }: OpId): void {
    if (this.#peers.get(peerId)?.delete(clock) === true) this.#size--
  }

  /** All values, peer by peer. */
  values(): Value[] {
    const values: Value[] = []
    for (const clocks of this.#peers.values()) for (const value of clocks.values()) values.push(value)
    return values
  }
}
