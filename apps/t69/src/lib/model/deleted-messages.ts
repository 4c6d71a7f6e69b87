import type { Author } from './authorship.ts'
import { textOfParts } from './reply-state.ts'
import { tracesOf } from './traces.ts'
import { edit, isTime, storedTextOf, type Tree, type Vertex } from './tree.ts'

/**
 * Deleting one message is a mark on it, so that what follows it stays in its place. Whoever may edit can set and remove
 * marks, as with chats; nobody can hide a message so that it is not in the list of deleted ones.
 */

/** The property that t69 marks deleted chats with. */
const key = 'deleted'

export interface DeletionMark {
  /** Unix ms, by the clock of the device that deleted the message. */
  readonly at: number
  /** Null when nobody was signed in. */
  readonly by: Author | null
}

/** Versions of one message that were deleted together. */
export interface DeletedMessage {
  /** Oldest first; at least one. */
  readonly ids: readonly string[]
  /** Of the newest version. */
  readonly text: string
  readonly mark: DeletionMark
}

/** Whether it has a mark with a time. Any other value hides nothing. */
export function isDeleted(vertex: Vertex): boolean {
  return markOf(vertex) !== null
}

export function markOf(vertex: Vertex | undefined): DeletionMark | null {
  const value = vertex?.getProperty(key, false)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const { at, by } = value
  if (typeof at !== 'number' || !isTime(at)) return null
  if (typeof by !== 'object' || by === null || Array.isArray(by)) return { at, by: null }
  const { id, name } = by
  return { at, by: typeof id === 'string' && typeof name === 'string' ? { id, name } : null }
}

/** Deletes all versions of a message. */
export function deleteMessage(tree: Tree, versions: readonly string[], { at, by }: DeletionMark): void {
  const author = by === null ? {} : { by: { id: by.id, name: by.name.toWellFormed() } }
  edit(tree, () => {
    for (const id of versions) tree.getVertex(id)?.setProperty(key, { at, ...author })
  })
}

export function restoreMessage(tree: Tree, versions: readonly string[]): void {
  edit(tree, () => {
    for (const id of versions) {
      const vertex = tree.getVertex(id)
      if (vertex !== undefined && isDeleted(vertex)) tree.setVertexProperty(id, key, undefined)
    }
  })
}

/** Says which account made an operation of the chat's tree, by the server's word; null while not known. */
type MadeBy = (op: NonNullable<ReturnType<Tree['writerOf']>>) => string | null

/** The deleted messages of a chat, the one that was deleted last first. */
export function deletedMessagesOf(tree: Tree, madeBy: MadeBy = () => null): DeletedMessage[] {
  const marked = Array.from(tracesOf(tree).messages).flatMap((id) => {
    const vertex = tree.getVertex(id)
    const mark = markOf(vertex)
    return vertex === undefined || mark === null ? [] : { id, mark, vertex }
  })
  // One deletion marks all versions with the same moment. Somebody else can name that moment as well.
  const groups = Map.groupBy(marked, ({ id, vertex, mark }) => {
    const op = tree.writerOf(id, key)
    return `${vertex.parentId} ${mark.at} ${(op && madeBy(op)) ?? ''}`
  })
  return Array.from(groups.values(), (group) => {
    const newest = group.at(-1)
    return {
      ids: group.map(({ id }) => id),
      text: (newest && (storedTextOf(newest.vertex, 'text') ?? textOfParts(newest.vertex))) ?? '',
      mark: newest?.mark ?? { at: 0, by: null },
    }
  }).toSorted((a, b) => b.mark.at - a.mark.at)
}
