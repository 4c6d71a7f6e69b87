import { startOfText } from '@t69/protocol'
import type { VertexOperation } from '@t69/sync-client'

/**
 * What can be found, read from stored operations: a replica of each tree would cost many times as much. The values are
 * those of the tree; where something is, is the last place that anybody moved it to.
 */

/** How much of a message can be found, in UTF-16 code units. */
const longestText = 20_000

export interface FoundMessage {
  /** The vertex. */
  readonly id: string
  /** Unix ms; 0 when it does not say so. */
  readonly at: number
  readonly text: string
}

export interface FoundChat {
  readonly treeId: string
  readonly title: string
  /** When somebody last wrote in it, in Unix ms; 0 when it does not say so. */
  readonly at: number
}

interface Item {
  parentId: string | null
  readonly values: Map<string, unknown>
}

/** Reads operations, the oldest first, which a later one on the same thing replaces. */
function itemsOf(ops: readonly VertexOperation[], keys: ReadonlySet<string>): Map<string, Item> {
  const items = new Map<string, Item>()
  for (const op of ops) {
    const isMove = 'parentId' in op
    if (!isMove && !keys.has(op.key)) continue
    const item = items.get(op.targetId) ?? { parentId: null, values: new Map() }
    items.set(op.targetId, item)
    if (isMove) item.parentId = op.parentId
    else item.values.set(op.key, op.value)
  }
  return items
}

const messageKeys = new Set(['text', 'createdAt', 'deleted', '_c'])

/** The messages of a chat, in any version, but for those that somebody deleted. */
export function messagesIn(ops: readonly VertexOperation[]): FoundMessage[] {
  return Array.from(itemsOf(ops, messageKeys)).flatMap(([id, { values }]) => {
    const text = values.get('text')
    if (typeof text !== 'string' || text.trim() === '' || isDeletion(values.get('deleted'))) return []
    return [
      {
        id,
        at: timeOf(values.get('createdAt')) || timeOf(values.get('_c')),
        text: startOfText(text, longestText),
      },
    ]
  })
}

/** As in model/deleted-messages.ts: a mark says when. */
function isDeletion(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'at' in value && typeof value.at === 'number'
}

const chatKeys = new Set(['tid', 'title', 'name', '_n', 'activeAt', '_c'])

/** The chats that the sidebar of a space shows, by the operations of the space's own tree. */
export function chatsIn(ops: readonly VertexOperation[]): FoundChat[] {
  const items = itemsOf(ops, chatKeys)
  // Each vertex is passed once, over all chats: somebody may have put very many into each other.
  const known = new Map<string, boolean>([['0', false]])
  const isInView = (id: string): boolean => {
    const path = new Set<string>()
    let found = true
    for (let at: string | null = id; at !== null && !path.has(at); at = items.get(at)?.parentId ?? null) {
      const answer = known.get(at)
      if (answer !== undefined) {
        found = answer
        break
      }
      path.add(at)
    }
    for (const passed of path) known.set(passed, found)
    return found
  }
  return Array.from(items).flatMap(([id, { values }]) => {
    const treeId = values.get('tid')
    if (typeof treeId !== 'string' || !isInView(id)) return []
    const title = [values.get('title'), values.get('name'), values.get('_n')].find(
      (it) => typeof it === 'string',
    )
    return [
      {
        treeId,
        title: typeof title === 'string' ? startOfText(title, 200) : '',
        at: timeOf(values.get('activeAt')) || timeOf(values.get('_c')),
      },
    ]
  })
}

/** A time in Unix ms, from a number or a date as text; 0 for anything else. */
function timeOf(value: unknown): number {
  const ms = typeof value === 'string' ? Date.parse(value) : value
  return typeof ms === 'number' && Math.abs(ms) <= 8.64e15 ? ms : 0
}
