import type { TreeOperation } from '@t69/protocol'

/** An operation's id within its tree. */
export function opIdInTree(op: Pick<TreeOperation, 'clock' | 'peerId'>): string {
  return `${op.clock}@${op.peerId}`
}

/** Oldest clock first; peers by code unit, as everywhere. */
export function byClock(a: TreeOperation, b: TreeOperation): number {
  if (a.clock !== b.clock) return a.clock - b.clock
  return a.peerId < b.peerId ? -1 : a.peerId > b.peerId ? 1 : 0
}

/** Whether two operations of one id say the same. Values compare as JSON, as the codec keeps key order. */
export function sameContent(a: TreeOperation, b: TreeOperation): boolean {
  return (
    a.targetId === b.targetId &&
    a.parentId === b.parentId &&
    a.key === b.key &&
    JSON.stringify(a.value) === JSON.stringify(b.value)
  )
}

/** Operations by tree, each list in the given order. */
export function groupByTree(ops: Iterable<TreeOperation>): Map<TreeOperation['treeId'], TreeOperation[]> {
  const trees = new Map<TreeOperation['treeId'], TreeOperation[]>()
  for (const op of ops) {
    const known = trees.get(op.treeId)
    if (known === undefined) trees.set(op.treeId, [op])
    else known.push(op)
  }
  return trees
}

/** The space's own tree first: it names the others, so whoever receives them sees them appear. */
export function spaceTreeFirst<T extends string>(spaceId: string, treeIds: Iterable<T>): T[] {
  return [...treeIds].toSorted(
    (a, b) => Number((b as string) === spaceId) - Number((a as string) === spaceId),
  )
}
