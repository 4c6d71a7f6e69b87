import type { TreeOperation } from '@t69/protocol'

/** A set of operation ids, at some 30 bytes each: a space of a million operations is compared without its contents. */
export class OpIdSet {
  readonly #trees = new Map<string, Map<string, Set<number>>>()

  add(op: Pick<TreeOperation, 'treeId' | 'peerId' | 'clock'>): void {
    let peers = this.#trees.get(op.treeId)
    if (peers === undefined) this.#trees.set(op.treeId, (peers = new Map<string, Set<number>>()))
    const clocks = peers.get(op.peerId)
    if (clocks === undefined) peers.set(op.peerId, new Set([op.clock]))
    else clocks.add(op.clock)
  }

  has(op: Pick<TreeOperation, 'treeId' | 'peerId' | 'clock'>): boolean {
    return this.#trees.get(op.treeId)?.get(op.peerId)?.has(op.clock) ?? false
  }
}
