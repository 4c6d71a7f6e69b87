import { untrack } from 'svelte'

import type { ThreadEntry } from '../../model/chat-tree.ts'
import type { OpenChat } from '../../state/open-chat.svelte.ts'
import { isPageVisible } from '../../state/page-visible.ts'
import type { SpaceView } from '../../state/space-view.svelte.ts'

/** Notes that the reader has seen the chat up to its end, while the page is visible. Called as its screen is made. */
export function markSeen(
  view: SpaceView,
  chat: () => OpenChat | null,
  thread: () => readonly ThreadEntry[],
): void {
  let wasHidden = false
  $effect(() => {
    const shown = chat()
    if (!isPageVisible()) wasHidden = true
    else if (shown !== null && shown.tree !== null) {
      const last = thread().at(-1)?.id ?? null
      // Others learn of an activity after the message itself.
      const isNew = view.unread.chats.has(shown.treeId)
      untrack(() => {
        if (wasHidden) {
          // The chat may have been read in another tab.
          if (isNew) shown.markNew()
          void view.unread.reload()
        }
        wasHidden = false
        view.unread.see(shown.treeId, last)
      })
    }
  })
}
