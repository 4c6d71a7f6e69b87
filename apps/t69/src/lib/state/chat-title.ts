import { chatTitle, itemOfTree, titleOf } from '../model/space-tree.ts'
import { textOf } from '../model/tree.ts'
import type { OpenChat } from './open-chat.svelte.ts'
import type { SpaceView } from './space-view.svelte.ts'
import { createTreeReader } from './tree-signals.ts'

/** Returns a function that reads the title of a chat on screen, as a signal; empty for none. */
export function createChatTitleReader({ tree, space }: SpaceView, chat: OpenChat | null): () => string {
  if (chat === null) return () => ''
  const root = chat.tree?.root
  return createTreeReader(tree, space.id, (visit) => {
    const item = itemOfTree(tree, chat.treeId, visit)
    return item ? titleOf(item) : root === undefined ? '' : chatTitle(textOf(root, 'title'))
  })
}
