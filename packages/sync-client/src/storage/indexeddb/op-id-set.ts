interface OpId {
  readonly treeId: string
  readonly peerId: string
  readonly clock: number
}

/** A set of operation ids, at about 30 bytes each: enough to compare a space of a million operations. */
export class OpIdSet {
  readonly #trees = new Map<string, Map<string, Set<number>>>()

  add(op: OpId): void {
    let peers = this.#trees.get(op.treeId)
    if (peers === undefined) this.#trees.set(op.treeId, (peers = new Map<string, Set<number>>()))
    const clocks = peers.get(op.peerId)
    if (clocks === undefined) peers.set(op.peerId, new Set([op.clock]))
    else clocks.add(op.clock)
  }

  has(op: OpId): boolean {
    return this.#trees.get(op.treeId)?.get(op.peerId)?.has(op.clock) ?? false
  }
}
