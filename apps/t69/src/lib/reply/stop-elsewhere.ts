import { edit, type Tree } from '../model/tree.ts'
import type { SpaceView } from '../state/space-view.svelte.ts'

/**
 * A reply is stopped on the device that writes it. Another device of the same account asks for that by a mark on the message.
 * Whose mark it is, the server says: those of other people stop nothing.
 */

/** The property that t69 of June 2025 does not know, and leaves alone. */
const key = 'stopAsked'

export function askToStop(tree: Tree, replyId: string): void {
  edit(tree, () => tree.getVertex(replyId)?.setProperty(key, true))
}

interface View {
  readonly space: Pick<SpaceView['space'], 'treeIdOf' | 'onAuthors'>
  readonly authors: {
    find(...op: Parameters<SpaceView['authors']['find']>): { readonly userId: string } | null
  }
  readonly unread: Pick<SpaceView['unread'], 'me'>
  readonly status: Pick<SpaceView['status'], 'phase'>
}

/** Calls back when the account that uses this device asks for a reply to be stopped. Returns a function that ends that. */
export function watchStop(view: View, tree: Tree, replyId: string, stop: () => void): () => void {
  const treeId = view.space.treeIdOf(tree)
  function look(): void {
    const op = tree.writerOf(replyId, key)
    if (op === undefined || tree.getVertex(replyId)?.getProperty(key, false) !== true) return
    // A local space is on this device alone: another tab has asked.
    const isOwn = view.status.phase === 'local' || view.authors.find(treeId, op)?.userId === view.unread.me
    if (isOwn) stop()
  }
  const ends = [tree.observe(replyId, look), view.space.onAuthors(look)]
  return () => {
    for (const end of ends) end()
  }
}
