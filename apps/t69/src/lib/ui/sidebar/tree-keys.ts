import type { ForestRow } from '../../model/space-tree.ts'
import { pressedLetter } from '../parts/pressed-key.ts'
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
    case 'ArrowUp': {
      const next = rows[at + (event.key === 'ArrowDown' ? 1 : -1)]
      if (event.shiftKey && next !== undefined) tree.chooseTo(next)
      select(next)
      return true
    }
    case 'Escape':
      if (!tree.isChoosing) return false
      tree.chooseNone()
      return true
    case 'Home':
      select(rows[0])
      return true
    case 'End':
      select(rows.at(-1))
      return true
    case 'ArrowRight':
      if (row.kind === 'folder' && !row.open) view.items.openFolder(row.id, true)
      else if (row.open) select(rows.find(({ parentId }) => parentId === row.id))
      return true
    case 'ArrowLeft':
      if (row.open) view.items.openFolder(row.id, false)
      else select(rows.find(({ id }) => id === row.parentId))
      return true
    case 'Enter':
      if (event.ctrlKey || event.metaKey) tree.openBehind(row)
      else tree.activate(row)
      return true
    case ' ':
      if (event.ctrlKey || event.metaKey || event.shiftKey || tree.isChoosing) tree.choose(row)
      else tree.activate(row)
      return true
  }
  if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
    tree.menuFor = row.id
    return true
  }
  return tree.canEdit && pressEditKey(event, tree, row)
}

function pressEditKey(event: KeyboardEvent, tree: TreeState, row: ForestRow): boolean {
  const letter = event.ctrlKey || event.metaKey ? pressedLetter(event) : null
  if (event.key === 'F2') tree.startRename(row.id)
  else if (event.key === 'Delete' || event.key === 'Backspace') {
    // A key that is held down would go on with the rows that come in its place.
    if (event.repeat) return true
    if (tree.isChoosing) tree.removeChosen()
    else tree.remove(row.id)
  } else if (letter === 'x') tree.cut = tree.with(row.id)
  else if (letter === 'v' && tree.cut.length > 0) tree.paste(row)
  else if (letter === 'a') tree.chooseAll()
  else return false
  return true
}
