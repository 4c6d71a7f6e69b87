import { startOfText } from '@t69/protocol'

import { byId, childNamed, childrenNamed, edit, isTime, createdTimeOf, rootOf, textOf } from './tree.ts'
import { unwatched, type Tree, type Vertex, type Visit } from './tree.ts'

/**
 * A chat's own tree, as t69 lays it out: the root carries `appId`, `configId` and `title`; under it `messages`
 * and `jobs`. Messages form a chain, each the child of the one before.
 *
 * A message has several children when the message after it was edited, or when people wrote at the same time. Of
 * the versions of one message, only the one with `main: true` is shown. Messages written at the same time are all
 * shown, one chain after the other: nothing that anyone wrote is ever hidden.
 */

export type MessageRole = 'user' | 'assistant' | 'error'

export interface NewMessage {
  readonly role: MessageRole
  readonly text: string
  /** Unix milliseconds, by this device's clock. */
  readonly createdAt: number
  /** Undefined when the author is not known. */
  readonly author?: string | undefined
  readonly authorId?: string | undefined
}

export interface Message {
  readonly role: MessageRole
  readonly text: string
  readonly createdAt: number
  readonly author: string | undefined
  readonly authorId: string | undefined
  /** It is a reply, and still being written. */
  readonly inProgress: boolean
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

/** The messages that the chat shows, in order. */
export function threadOf(tree: Tree, visit: Visit = unwatched): ThreadEntry[] {
  if (tree.root === undefined) return []
  visit(tree.root.id)
  const thread: ThreadEntry[] = []
  const waiting = entriesUnder(childrenNamed(tree.root, 'messages'), visit).toReversed()
  for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
    thread.push(entry)
    const vertex = tree.getVertex(entry.id)
    const next = vertex === undefined ? [] : entriesUnder([vertex], visit)
    for (const below of next.toReversed()) waiting.push(below)
  }
  return thread
}

function entriesUnder(parents: readonly Vertex[], visit: Visit): ThreadEntry[] {
  const children = parents.flatMap((parent) => {
    visit(parent.id)
    return parent.children
  })
  if (children.length === 0) return []
  const [only] = children
  if (only !== undefined && children.length === 1) return [{ id: only.id, versions: [only.id] }]
  return versionGroups(children.toSorted(inOrder)).map((group) => ({
    id: shownOf(group).id,
    versions: group.map((vertex) => vertex.id),
  }))
}

/**
 * Groups siblings, in order, into the versions of each message. Versions name the first one in `versionOf`. Those
 * that t69 wrote before there was `versionOf` have only `main`: if one sibling has it, all siblings outside a group
 * of named versions are versions of one message.
 */
function versionGroups(siblings: readonly Vertex[]): Vertex[][] {
  const named = new Set(siblings.map((vertex) => textOf(vertex, 'versionOf')))
  const isLoose = (vertex: Vertex) => textOf(vertex, 'versionOf') === undefined && !named.has(vertex.id)
  const loose = siblings.filter(isLoose)
  const looseAreVersions = loose.some((vertex) => vertex.getProperty('main') !== undefined)
  const groups = Map.groupBy(siblings, (vertex) => {
    const first = looseAreVersions && isLoose(vertex) ? loose[0] : undefined
    return first?.id ?? textOf(vertex, 'versionOf') ?? vertex.id
  })
  return [...groups.values()]
}

/** The version to show. When people chose different ones at the same time, the newest of those. */
function shownOf(versions: readonly Vertex[]): Vertex {
  const shown = versions.findLast((vertex) => vertex.getProperty('main') === true) ?? versions[0]
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

export function messageOf(vertex: Vertex): Message {
  const role = textOf(vertex, 'role')
  // A reader who opens the chat in the middle of a reply may have missed `inProgress`, but gets a transient text.
  const isGrowing = vertex.getProperty('text') !== vertex.getProperty('text', false)
  return {
    role: role === 'assistant' || role === 'error' ? role : 'user',
    text: textOf(vertex, 'text') ?? '',
    createdAt: createdAtOf(vertex),
    author: textOf(vertex, 'author'),
    authorId: textOf(vertex, 'authorId'),
    inProgress: isGrowing || vertex.getProperty('inProgress') === true,
  }
}

/** Adds a message after `afterId`, or after the last one that the chat shows. Returns its id. */
export function addMessage(tree: Tree, message: NewMessage, afterId?: string): string {
  return edit(tree, () => {
    const after = afterId ?? threadOf(tree).at(-1)?.id
    const parent = after === undefined ? childNamed(rootOf(tree), 'messages') : tree.getVertex(after)
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

function propertiesOf(message: NewMessage): Record<string, string | number> {
  const { role, text, createdAt, author, authorId } = message
  return {
    createdAt,
    role,
    // A reply begins without a text: an empty one that arrives late would replace the text that is already shown.
    ...(text === '' ? {} : { text: text.toWellFormed() }),
    ...(author === undefined ? {} : { author: author.toWellFormed() }),
    ...(authorId === undefined ? {} : { authorId }),
  }
}

/** The title of a chat from its first message: the first line, cut at a word, or where a character ends. */
export function titleFrom(text: string): string {
  const line = text.trim().split('\n', 1)[0]?.trim() ?? ''
  if (line.length <= 60) return line
  const cut = startOfText(line, 60)
  const space = cut.lastIndexOf(' ')
  return `${(space > 30 ? cut.slice(0, space) : cut).trimEnd()}…`
}
