import { activeTimeOf } from './activity.ts'
import type { ThreadEntry } from './chat-tree.ts'
import { mentionKey } from './mentions.ts'
import { isInView, tracesOf } from './traces.ts'
import { isTime, type Tree, type Vertex, type Visit } from './tree.ts'

/**
 * Which chats have something new for a reader. The space's tree says when somebody last wrote in a chat (`activeAt`), and
 * the log whose word that is; this device notes which value of it the reader has seen. The chats themselves need not be
 * loaded. Clocks are not compared with the reader's: a chat has something new when the value is another one.
 */

/** What the reader has seen of a chat. */
export interface Seen {
  /** The activity of the chat then, in Unix ms by the clock of who wrote it. */
  readonly at: number
  /** The last message that was on screen; null for none. */
  readonly last: string | null
  /** When the reader had been mentioned there last, in Unix ms by the clock of who wrote it; 0 for never. */
  readonly mention: number
}

/** What is new in a chat: somebody has written there, or has mentioned the reader. */
export type News = 'written' | 'mention'

/** What the reader has seen of a space. */
export interface SeenSpace {
  /** The latest activity when this device had the space for the first time. What is older is not new. Null before that. */
  readonly since: number | null
  /** By the id of the chat's tree. */
  readonly chats: ReadonlyMap<string, Seen>
}

export const nothingSeen: SeenSpace = { since: null, chats: new Map() }

/** Whether an operation is the reader's own. */
export type IsOwn = (op: NonNullable<ReturnType<Tree['writerOf']>>) => boolean

/** What is new in a chat for a reader since they saw it; null for nothing. `me` is the id of their account. */
export function newsOf(
  tree: Tree,
  item: Vertex,
  treeId: string,
  seen: SeenSpace,
  { me, isOwn }: { readonly me: string; readonly isOwn: IsOwn },
): News | null {
  if (seen.since === null) return null
  const known = seen.chats.get(treeId)
  const isByOthers = (...keys: string[]): boolean => {
    const writer = keys.map((key) => tree.writerOf(item.id, key)).find((op) => op !== undefined)
    return writer === undefined || !isOwn(writer)
  }
  const mention = mentionTimeOf(item, me)
  const isMentioned = known === undefined ? mention > seen.since : mention !== known.mention
  if (isMentioned && isByOthers(mentionKey(me))) return 'mention'
  const at = activeTimeOf(item)
  const isActive = known === undefined ? at > seen.since : at !== known.at
  return isActive && isByOthers('activeAt', 'tid') ? 'written' : null
}

/** When an account was mentioned in a chat last, in Unix ms; 0 for never. */
export function mentionTimeOf(item: Vertex, userId: string): number {
  const at = item.getProperty(mentionKey(userId))
  return typeof at === 'number' && isTime(at) ? at : 0
}

/** The chats in the sidebar with something new, by the ids of their trees. Linear in the number of chats. */
export function newsIn(
  tree: Tree,
  seen: SeenSpace,
  reader: { readonly me: string; readonly isOwn: IsOwn },
  visit: Visit,
): Map<string, News> {
  const found = new Map<string, News>()
  for (const [treeId, ids] of tracesOf(tree).chats) {
    for (const id of ids) {
      const vertex = tree.getVertex(id)
      if (vertex?.parentId) visit(vertex.parentId)
      if (vertex?.getProperty('tid') !== treeId) continue
      const news = newsOf(tree, vertex, treeId, seen, reader)
      if (news !== null && isInView(tree, id)) found.set(treeId, news)
    }
  }
  return found
}

/** The latest activity of all chats of a space, in Unix ms; 0 where there are none. */
export function latestActivity(tree: Tree): number {
  let latest = 0
  for (const ids of tracesOf(tree).chats.values()) {
    for (const id of ids) {
      const vertex = tree.getVertex(id)
      if (vertex !== undefined) latest = Math.max(latest, activeTimeOf(vertex))
    }
  }
  return latest
}

/** The first message that the reader has not seen: the first one of somebody else after `last`; null if there is none. */
export function firstUnread(
  thread: readonly ThreadEntry[],
  last: string | null,
  isOwn: (messageId: string) => boolean,
): string | null {
  const at = thread.findIndex(({ id, versions }) => id === last || versions.includes(last ?? ''))
  if (at < 0) return null
  return thread.slice(at + 1).find(({ id }) => !isOwn(id))?.id ?? null
}

/** What a device has stored of what its reader saw. Other values count as nothing. */
export function parseSeen(stored: unknown): SeenSpace {
  if (typeof stored !== 'object' || stored === null) return nothingSeen
  const since = 'since' in stored && typeof stored.since === 'number' ? stored.since : null
  const entries =
    'chats' in stored && typeof stored.chats === 'object' ? Object.entries(stored.chats ?? {}) : []
  const chats = entries.flatMap(([treeId, value]: [string, unknown]): [string, Seen][] => {
    if (!Array.isArray(value)) return []
    const [at, last, mention]: unknown[] = value
    if (typeof at !== 'number' || !isTime(at)) return []
    const seen = {
      last: typeof last === 'string' ? last : null,
      mention: typeof mention === 'number' ? mention : 0,
    }
    return [[treeId, { at, ...seen }]]
  })
  return { since, chats: new Map(chats) }
}

export function storedSeen({ since, chats }: SeenSpace): object {
  return {
    since,
    chats: Object.fromEntries(Array.from(chats, ([id, { at, last, mention }]) => [id, [at, last, mention]])),
  }
}
