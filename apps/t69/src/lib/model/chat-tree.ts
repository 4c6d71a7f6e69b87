import { startOfText } from '@t69/protocol'

import { isDeleted } from './deleted-messages.ts'
import { mentionedIn } from './mentions.ts'
import {
  beginningOf,
  replyStateOf,
  roleOf,
  sayingKeysOf,
  textOfParts,
  type MessageRole,
  type ReplyBy,
  type ReplyState,
} from './reply-state.ts'
import { partNamed, tracesOf } from './traces.ts'
import { byId, childNamed, edit, isTime, createdTimeOf, rootOf, storedTextOf, textOf } from './tree.ts'
import { unwatched, type Tree, type Vertex, type Visit } from './tree.ts'

/**
 * A chat's own tree, as t69 lays it out: the root carries `appId`, `configId` and `title`; under it `messages`
 * and `jobs`. Messages form a chain, each the child of the one before.
 *
 * A message has several children when the message after it was edited, or when people wrote at the same time. Of
 * the versions of one message, only the one with `main: true` is shown. Messages written at the same time are all
 * shown, one chain after the other: nothing that anyone wrote is ever hidden. A chain begins with a message that is not
 * below another one. So the vertex `messages` is where new chains begin, but finding them does not depend on it: whoever
 * renames, moves or deletes it, or a message, hides nothing.
 *
 * A message is deleted by a mark on it (`deleted-messages.ts`), not by a move: it is not shown, and those after it stay.
 */

export interface NewMessage {
  readonly role: MessageRole
  /** Empty for a reply that begins. */
  readonly text: string
  /** Unix milliseconds, by this device's clock. */
  readonly createdAt: number
  /** Undefined when the author is not known. */
  readonly author?: string | undefined
  readonly authorId?: string | undefined
  /** The ids of the accounts that it mentions. */
  readonly mentions?: readonly string[] | undefined
  /** What writes it, when it is a reply. */
  readonly by?: ReplyBy | undefined
}

export interface Message extends ReplyState {
  readonly role: MessageRole
  readonly text: string
  readonly createdAt: number
  readonly author: string | undefined
  readonly authorId: string | undefined
  /** The ids of the accounts that it mentions, by its author's word. */
  readonly mentions: readonly string[]
}

/** One place in a chat: the message shown there, and all its versions, the oldest first. */
export interface ThreadEntry {
  readonly id: string
  readonly versions: readonly string[]
}

export function layOutChat(tree: Tree, title: string): void {
  edit(tree, () => {
    const root = rootOf(tree)
    root.setProperties({
      name: 'app-tree',
      appId: 'default-chat',
      configId: 'default',
      title: title.toWellFormed(),
    })
    childNamed(root, 'messages')
    childNamed(root, 'jobs')
  })
}

/** The versions that a reader has chosen to see, by their ids. */
export type Chosen = ReadonlySet<string>
const nothingChosen: Chosen = new Set()

/** The messages that the chat shows to a reader, in order. */
export function threadOf(
  tree: Tree,
  visit: Visit = unwatched,
  chosen: Chosen = nothingChosen,
): ThreadEntry[] {
  return placesOf(tree, visit, chosen).filter(({ versions }) => versions.length > 0)
}

/** The places of a chat in order, those of deleted messages, which have no versions left, included. */
function placesOf(tree: Tree, visit: Visit = unwatched, chosen: Chosen = nothingChosen): ThreadEntry[] {
  if (tree.root === undefined) return []
  visit(tree.root.id)
  const thread: ThreadEntry[] = []
  const { messages } = tracesOf(tree)
  const isMessage = ({ id }: Vertex): boolean => messages.has(id)
  const waiting = entriesOf(chainsOf(tree, visit), chosen).toReversed()
  for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
    thread.push(entry)
    const vertex = tree.getVertex(entry.id)
    visit(entry.id)
    const next = vertex === undefined ? [] : entriesOf(vertex.children.filter(isMessage), chosen)
    for (const below of next.toReversed()) waiting.push(below)
  }
  return thread
}

/** The messages that begin a chain. */
function chainsOf(tree: Tree, visit: Visit): Vertex[] {
  const traces = tracesOf(tree)
  const { messages } = traces
  for (const id of traces.named('messages')) visit(id)
  const first: Vertex[] = []
  for (const id of messages) {
    const vertex = tree.getVertex(id)
    const parentId = vertex?.parentId ?? null
    if (vertex === undefined || (parentId !== null && messages.has(parentId))) continue
    if (parentId !== null) visit(parentId)
    first.push(vertex)
  }
  return first
}

/** The places of messages that follow the same one, or none. */
function entriesOf(children: readonly Vertex[], chosen: Chosen): ThreadEntry[] {
  if (children.length === 0) return []
  const [only] = children
  // Nearly all messages: there is nothing to group or to choose, and a chat may have very many of them.
  if (only !== undefined && children.length === 1)
    return [{ id: only.id, versions: isDeleted(only) ? [] : [only.id] }]
  return versionGroups(children.toSorted(inOrder)).map((group) => placeOf(group, chosen))
}

/** Of the versions of a message, those that are deleted do not count, unless all of them are. */
function placeOf(group: readonly Vertex[], chosen: Chosen): ThreadEntry {
  const there = group.filter((vertex) => !isDeleted(vertex))
  const { id } = shownOf(there.length === 0 ? group : there, chosen)
  return { id, versions: there.map((vertex) => vertex.id) }
}

/**
 * Groups siblings, in order, into the versions of each message. Versions name the first one in `versionOf`. Those
 * that t69 wrote before there was `versionOf` have only `main`: if one child of a vertex has it, all its children outside
 * a group of named versions are versions of one message.
 */
function versionGroups(siblings: readonly Vertex[]): Vertex[][] {
  const named = new Set(siblings.map((vertex) => textOf(vertex, 'versionOf')))
  const isLoose = (vertex: Vertex) => textOf(vertex, 'versionOf') === undefined && !named.has(vertex.id)
  const looseByParent = Map.groupBy(siblings.filter(isLoose), ({ parentId }) => parentId)
  const versionsByParent = new Map(
    Array.from(looseByParent).filter(([, loose]) => loose.some((it) => it.getProperty('main') !== undefined)),
  )
  const groups = Map.groupBy(siblings, (vertex) => {
    const first = isLoose(vertex) ? versionsByParent.get(vertex.parentId)?.[0] : undefined
    return first?.id ?? textOf(vertex, 'versionOf') ?? vertex.id
  })
  return [...groups.values()]
}

/** The version to show: what the reader chose, else the newest of those that are shown to everyone. */
function shownOf(versions: readonly Vertex[], chosen: Chosen): Vertex {
  const shown =
    versions.findLast(({ id }) => chosen.has(id)) ??
    versions.findLast((vertex) => vertex.getProperty('main') === true) ??
    versions[0]
  if (shown === undefined) throw new Error('A message has no version')
  return shown
}

function inOrder(a: Vertex, b: Vertex): number {
  return createdAtOf(a) - createdAtOf(b) || byId(a, b)
}

/** t69 writes a number; a date as text is read too. */
function createdAtOf(vertex: Vertex): number {
  const value = vertex.getProperty('createdAt')
  if (typeof value !== 'number' && typeof value !== 'string') return createdTimeOf(vertex)
  const time = typeof value === 'number' ? value : Date.parse(value)
  return isTime(time) ? time : 0
}

/**
 * The operation that says who wrote a message: the last one that wrote what it says, so that nobody can put words into a
 * message of somebody else; before it says anything, the one that said what kind of message it is.
 */
export function writingOf(tree: Tree, messageId: string): ReturnType<Tree['writerOf']> {
  const vertex = tree.getVertex(messageId)
  const writers = vertex ? sayingKeysOf(vertex).flatMap((key) => tree.writerOf(messageId, key) ?? []) : []
  const [newest] = writers.toSorted((a, b) => b.counter - a.counter)
  return newest ?? tree.writerOf(messageId, 'role')
}

/** `grows`: whether a text that somebody shows in place of the stored one counts. */
export function messageOf(vertex: Vertex, grows = true): Message {
  const stored = storedTextOf(vertex, 'text') ?? textOfParts(vertex)
  const shown = grows ? textOf(vertex, 'text') : undefined
  // A reader who opens the chat in the middle of a reply may get its shown text before anything else of it.
  const isGrowing = shown !== undefined && shown !== storedTextOf(vertex, 'text')
  return {
    role: roleOf(vertex),
    text: (isGrowing ? shown : stored) ?? '',
    createdAt: createdAtOf(vertex),
    author: storedTextOf(vertex, 'author'),
    authorId: storedTextOf(vertex, 'authorId'),
    mentions: mentionedIn(vertex),
    ...replyStateOf(vertex, isGrowing, grows),
  }
}

/**
 * A message without the thoughts, the refusal and the parts that somebody else wrote into it: they are shown under its
 * author's name. `isByAuthor` tells whether its author made an operation.
 */
export function withoutStrangeWords(
  tree: Tree,
  messageId: string,
  message: Message,
  isByAuthor: (op: NonNullable<ReturnType<Tree['writerOf']>>) => boolean,
): Message {
  const isStrange = (key: string): boolean => {
    const op = tree.writerOf(messageId, key)
    return op !== undefined && !isByAuthor(op)
  }
  const vertex = tree.getVertex(messageId)
  const isOfParts = vertex !== undefined && message.text !== '' && message.text === textOfParts(vertex)
  return {
    ...message,
    ...(isOfParts && storedTextOf(vertex, 'text') === undefined
      ? { text: textOfParts(vertex, (key) => !isStrange(key)) ?? '' }
      : {}),
    ...(isStrange('thinking') ? { thinking: '' } : {}),
    ...(isStrange('refusal') ? { refusal: undefined } : {}),
  }
}

/** Adds a message after `afterId`, or after the last one that the chat shows. Returns its id. */
export function addMessage(tree: Tree, message: NewMessage, afterId?: string): string {
  return edit(tree, () => {
    // After a deleted message, too: it returns to its place before the new one.
    const after = afterId ?? placesOf(tree).at(-1)?.id
    const parent = after === undefined ? partNamed(tree, rootOf(tree), 'messages') : tree.getVertex(after)
    if (parent === undefined) throw new Error('The previous message is not here')
    return parent.newNamedChild('message', propertiesOf(message)).id
  })
}

/** Writes another version of a message beside it and shows that one. Returns its id. */
export function addVersion(tree: Tree, entry: ThreadEntry, message: NewMessage): string {
  return edit(tree, () => {
    const first = tree.getVertex(entry.versions[0] ?? entry.id)
    if (first?.parent === undefined) throw new Error('The message is not here')
    const versionOf = textOf(first, 'versionOf') ?? first.id
    const added = first.parent.newNamedChild('message', { ...propertiesOf(message), versionOf, main: true })
    unmark(tree, entry.versions)
    // Versions that have only `main` name what they are versions of from now on.
    for (const id of entry.versions) {
      const vertex = tree.getVertex(id)
      if (id !== versionOf && vertex && textOf(vertex, 'versionOf') === undefined)
        vertex.setProperty('versionOf', versionOf)
    }
    return added.id
  })
}

/**
 * Shows a message in the thread of a reader, and what leads to it, to everyone who has not chosen another version: what
 * somebody writes below a version that only they see must not stay unseen.
 */
export function showToAll(tree: Tree, thread: readonly ThreadEntry[], id: string): void {
  const path = pathTo(tree, id)
  // Read again only after a change: a chat may have versions at each of many thousand places.
  let shown: ReadonlySet<string> | undefined
  for (const entry of thread) {
    if (entry.versions.length === 1 || !path.has(entry.id)) continue
    shown ??= new Set(threadOf(tree).map((place) => place.id))
    if (shown.has(entry.id)) continue
    showVersion(tree, entry, entry.id)
    shown = undefined
  }
}

/** A vertex, and those that it is below. */
export function pathTo(tree: Tree, id: string): ReadonlySet<string> {
  const path = new Set<string>()
  for (let at: string | null = id; at !== null; at = tree.getVertex(at)?.parentId ?? null) path.add(at)
  return path
}

/** Shows one version of a message, and the messages that followed it, to everyone. */
export function showVersion(tree: Tree, entry: ThreadEntry, id: string): void {
  edit(tree, () => {
    unmark(
      tree,
      entry.versions.filter((version) => version !== id),
    )
    tree.getVertex(id)?.setProperty('main', true)
  })
}

function unmark(tree: Tree, ids: readonly string[]): void {
  for (const id of ids) {
    const vertex = tree.getVertex(id)
    if (vertex?.getProperty('main') === true) vertex.setProperty('main', false)
  }
}

function propertiesOf(message: NewMessage): Record<string, string | number | boolean | string[]> {
  const { role, text, createdAt, author, authorId, mentions = [], by } = message
  return {
    createdAt,
    role,
    // A reply begins without a text: an empty one that arrives late would replace the text that is already shown.
    ...(text === '' ? {} : { text: text.toWellFormed() }),
    ...(author === undefined ? {} : { author: author.toWellFormed() }),
    ...(authorId === undefined ? {} : { authorId }),
    ...(mentions.length === 0 ? {} : { mentions: [...mentions] }),
    ...(by === undefined ? {} : beginningOf(by)),
  }
}

/**
 * The title of a chat from its first message: what the first line says, without the marks of Markdown, cut at a word, or
 * where a character ends.
 */
export function titleFrom(text: string): string {
  const line = withoutMarks(startOfText(text.trimStart().split('\n', 1)[0] ?? '', 200)).trim()
  if (line.length <= 60) return line
  const cut = startOfText(line, 60)
  const space = cut.lastIndexOf(' ')
  return `${(space > 30 ? cut.slice(0, space) : cut).trimEnd()}…`
}

/** What a short line says without the marks of a heading, a quote, emphasis and code. */
function withoutMarks(line: string): string {
  const said = line.replace(/^\s*(?:#{1,6}|>)\s+/, '').replace(/(\*\*|__|~~|`+)(?=\S)(.*?\S)\1/g, '$2')
  return said.trim() === '' ? line : said
}
