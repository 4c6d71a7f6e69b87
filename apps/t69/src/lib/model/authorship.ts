import type { Message } from './chat-tree.ts'
import { shownLine } from './shown-text.ts'
import { edit, type Tree } from './tree.ts'

/**
 * Who wrote what. A message that was written while nobody was signed in names no author: in a local space that is
 * the person who holds the device. Once the space syncs, others read the message, and it must not look like theirs.
 * So the user who turns syncing on is recorded once, in the root of the space tree, as the author of everything
 * written before.
 *
 * All of that is only what some client wrote. Once the server has committed a message, it vouches for the account that
 * wrote it, and that account's name is shown, whatever the message says.
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

/** What is said of who wrote a message. */
export interface Byline {
  readonly name: string
  /** The message is the reader's own. */
  readonly isMine: boolean
  /** What else there is to know: `text`, and the name that continues it. Not shown before the message, as a name is. */
  readonly note: { readonly text: string; readonly name: string } | null
}

type Signature = Pick<Message, 'role' | 'author' | 'authorId' | 'createdAt'>

/** `vouched` is the account that wrote the message, by the server's word; null while that is not known. */
export function bylineOf(message: Signature, reader: Reader, vouched: Author | null = null): Byline {
  const { name, isMine, note } =
    vouched === null ? claimedByline(message, reader) : vouchedByline(message, reader, vouched)
  return { name: shownLine(name), isMine, note: note && { ...note, name: shownLine(note.name) } }
}

function claimedByline({ role, author, authorId, createdAt }: Signature, reader: Reader): Byline {
  const note = null
  if (role !== 'user') return { name: author ?? 'Assistant', isMine: false, note }
  if (authorId !== undefined) {
    const isMine = authorId === reader.id
    return { name: author ?? (isMine ? 'You' : 'Someone'), isMine, note }
  }
  if (reader.isAlone) return { name: author ?? 'You', isMine: true, note }
  const { earlier } = reader
  if (author === undefined && earlier !== undefined && createdAt <= earlier.until)
    return { name: earlier.name, isMine: earlier.id === reader.id, note }
  return { name: author ?? 'Someone', isMine: false, note }
}

/** A reply's name, that of a model, is a claim as well: it could be anybody's. */
function vouchedByline({ role, author, authorId }: Signature, reader: Reader, vouched: Author): Byline {
  const isMine = vouched.id === reader.id
  const claim = author ?? 'someone else'
  if (role !== 'user') {
    if (isMine) return { name: author ?? 'Assistant', isMine: false, note: null }
    const note = author === undefined ? null : { text: 'Written with', name: claim }
    return { name: `${vouched.name}’s assistant`, isMine: false, note }
  }
  if (authorId === undefined && author === undefined) {
    const note = isMine ? null : { text: 'Written while signed out', name: '' }
    return { name: vouched.name, isMine, note }
  }
  const isTrue = authorId === undefined ? author === vouched.name : authorId === vouched.id
  return { name: vouched.name, isMine, note: isTrue ? null : { text: 'Says it is by', name: claim } }
}
