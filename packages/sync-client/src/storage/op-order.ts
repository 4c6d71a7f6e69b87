import type { TreeOperation } from '@t69/protocol'

/** Returns an operation's id within its tree, as a map key. */
export function opIdInTree(op: Pick<TreeOperation, 'clock' | 'peerId'>): string {
  return `${op.clock}@${op.peerId}`
}

/** Sorts by clock, oldest first; equal clocks by the code units of the peer id, as everywhere. */
export function byClock(a: TreeOperation, b: TreeOperation): number {
  if (a.clock !== b.clock) return a.clock - b.clock
  return a.peerId < b.peerId ? -1 : a.peerId > b.peerId ? 1 : 0
}

/** Groups operations by tree, each list in the given order. */
export function groupByTree(ops: Iterable<TreeOperation>): Map<TreeOperation['treeId'], TreeOperation[]> {
  const trees = new Map<TreeOperation['treeId'], TreeOperation[]>()
  let latest: TreeOperation[] | undefined
  for (const op of ops) {
    // Most operations are of the tree of the one before, which needs no look-up.
    if (latest?.[0]?.treeId !== op.treeId) latest = trees.get(op.treeId)
    if (latest === undefined) trees.set(op.treeId, (latest = []))
    latest.push(op)
  }
  return trees
}

/** Sorts the space's own tree first. It names the other trees, so that they appear at a receiver as they arrive. */
export function spaceTreeFirst<T extends string>(spaceId: string, treeIds: Iterable<T>): T[] {
  return [...treeIds].toSorted(
    (a, b) => Number((b as string) === spaceId) - Number((a as string) === spaceId),
  )
}
