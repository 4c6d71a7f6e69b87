import type { Message } from './chat-tree.ts'
import { edit, type Tree } from './tree.ts'

/**
 * Who wrote what. A message that was written while nobody was signed in names no author: in a local space that is
 * the person who holds the device. Once the space syncs, others read the message, and it must not look like theirs.
 * So the user who turns syncing on is recorded once, in the root of the space tree, as the author of everything
 * written before.
 */

export interface Author {
  readonly id: string
  readonly name: string
}

/** The author of the messages that name none, up to a point in time. */
export interface EarlierAuthor extends Author {
  /** Unix ms, by the clock of the device that wrote the messages and this. */
  readonly until: number
}

const key = 'authorBeforeSync'

export function recordEarlierAuthor(tree: Tree, author: EarlierAuthor): void {
  const { id, name, until } = author
  edit(tree, () => tree.root?.setProperty(key, { id, name: name.toWellFormed(), until }))
}

export function earlierAuthorOf(tree: Tree): EarlierAuthor | undefined {
  const value = tree.root?.getProperty(key)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { id, name, until } = value
  const isWhole = typeof id === 'string' && typeof name === 'string' && typeof until === 'number'
  return isWhole ? { id, name, until } : undefined
}

/** The person who looks at the screen. */
export interface Reader {
  /** Null while nobody is signed in. */
  readonly id: string | null
  /** The space is on this device only. */
  readonly isAlone: boolean
  readonly earlier: EarlierAuthor | undefined
}

/** The name above a message, and whether it is the reader's own. */
export function bylineOf(
  message: Pick<Message, 'role' | 'author' | 'authorId' | 'createdAt'>,
  reader: Reader,
): { readonly name: string; readonly isMine: boolean } {
  const { role, author, authorId, createdAt } = message
  if (role !== 'user') return { name: author ?? 'Assistant', isMine: false }
  if (authorId !== undefined) {
    const isMine = authorId === reader.id
    return { name: author ?? (isMine ? 'You' : 'Someone'), isMine }
  }
  if (reader.isAlone) return { name: author ?? 'You', isMine: true }
  const { earlier } = reader
  if (author === undefined && earlier !== undefined && createdAt <= earlier.until)
    return { name: earlier.name, isMine: earlier.id === reader.id }
  return { name: author ?? 'Someone', isMine: false }
}
