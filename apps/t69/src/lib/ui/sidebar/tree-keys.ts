import type { ForestRow } from '../../model/space-tree.ts'
import type { TreeState } from './tree-state.svelte.ts'

/** Does what a key asks of the tree; `select` also scrolls to the row. Returns whether the key has a meaning here. */
export function pressTreeKey(
  event: KeyboardEvent,
  tree: TreeState,
  select: (row: ForestRow | undefined) => void,
): boolean {
  const { rows, view } = tree
  const at = rows.findIndex(({ id }) => id === tree.activeId)
  const row = rows[at]
  if (row === undefined) return false
  switch (event.key) {
    case 'ArrowDown':
      select(rows[at + 1])
      return true
    case 'ArrowUp':
      select(rows[at - 1])
      return true
    case 'Home':
      select(rows[0])
      return true
    case 'End':
      select(rows.at(-1))
      return true
    case 'ArrowRight':
      if (row.kind === 'folder' && !row.open) view.openFolder(row.id, true)
      else if (row.open) select(rows.find(({ parentId }) => parentId === row.id))
      return true
    case 'ArrowLeft':
      if (row.open) view.openFolder(row.id, false)
      else select(rows.find(({ id }) => id === row.parentId))
      return true
    case 'Enter':
    case ' ':
      tree.activate(row)
      return true
  }
  if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
    tree.menuFor = row.id
    return true
  }
  return tree.canEdit && pressEditKey(event, tree, row)
}

function pressEditKey(event: KeyboardEvent, tree: TreeState, row: ForestRow): boolean {
  const letter = event.ctrlKey || event.metaKey ? event.key.toLowerCase() : null
  if (event.key === 'F2') tree.startRename(row.id)
  else if (event.key === 'Delete' || event.key === 'Backspace') tree.remove(row.id)
  else if (letter === 'x') tree.cut = row.id
  else if (letter === 'v' && tree.cut !== null) tree.paste(row)
  else return false
  return true
}
