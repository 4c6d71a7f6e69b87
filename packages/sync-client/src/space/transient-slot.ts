/** The property that a transient change is about, as a key for maps. */
export const slotOf = (change: {
  readonly treeId: string
  readonly targetId: string
  readonly key: string
}): string => `${change.treeId}/${change.targetId}/${change.key}`
