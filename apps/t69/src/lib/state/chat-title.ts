import { itemOfTree, titleOf } from '../model/space-tree.ts'
import { textOf } from '../model/tree.ts'
import type { SpaceView } from './space-view.svelte.ts'
import { createTreeReader } from './tree-signals.ts'

/** Returns a function that reads the title of the chat on screen, as a signal; empty when there is none. */
export function createChatTitleReader({ chatId, chat, tree, space }: SpaceView): () => string {
  if (chatId === null) return () => ''
  return createTreeReader(tree, space.id, (visit) => {
    const item = itemOfTree(tree, chatId, visit)
    return item ? titleOf(item) : ((chat?.tree.root && textOf(chat.tree.root, 'title')) ?? '')
  })
}
