/** Returns a map key for the property that a transient change sets. */
export const slotOf = (change: {
  readonly treeId: string
  readonly targetId: string
  readonly key: string
}): string => `${change.treeId}/${change.targetId}/${change.key}`
