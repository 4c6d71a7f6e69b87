import { createdTimeOf, edit, isTime, type Tree, type Vertex } from './tree.ts'

/**
 * What orders the sidebar, on the vertices of the space's tree: when somebody last wrote in a chat (`activeAt`, Unix ms), and
 * which items are pinned (`pinned`). Chats of older releases have neither, and count as active when they were created.
 */

/** How often a page writes a chat's last activity at most, in ms: each costs an operation of everybody's log. */
const noteEveryMs = 60_000

/** When somebody last wrote in a chat, in Unix ms, by their clock; for all else, when it was created. */
export function activeTimeOf(vertex: Vertex): number {
  const at = vertex.getProperty('activeAt')
  return typeof at === 'number' && isTime(at) ? at : createdTimeOf(vertex)
}

/**
 * Notes that something was written in the chat of an item, unless this page has noted it within a minute. Returns in how
 * many ms it is to be noted again, so that others learn of what was written last; 0 once it is noted. `isUrgent`:
 * somebody has left the chat since, and would not learn of it for a minute.
 */
export function noteActivity(tree: Tree, item: Vertex, now: number, isUrgent = false): number {
  const since = Math.abs(now - activeTimeOf(item))
  const writer = tree.writerOf(item.id, 'activeAt') ?? tree.writerOf(item.id, 'tid')
  // A note from the future, by a clock that is wrong, is replaced as well.
  if (!isUrgent && since < noteEveryMs && writer?.peerId === tree.peerId) return noteEveryMs - since
  edit(tree, () => item.setProperty('activeAt', now))
  return 0
}

export function isPinned(vertex: Vertex): boolean {
  return vertex.getProperty('pinned') === true
}

/** Pins an item for everybody in the space, or takes the pin away. */
export function pinItem(tree: Tree, id: string, pinned: boolean): void {
  edit(tree, () => tree.getVertex(id)?.setProperty('pinned', pinned))
}
