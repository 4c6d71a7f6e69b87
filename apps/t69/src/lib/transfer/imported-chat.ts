import { limits, startOfText, utf8Length } from '@t69/protocol'
import type { ImportedTree } from '@t69/sync-client'

import { titleFrom } from '../model/chat-tree.ts'
import { untitled } from '../model/space-tree.ts'
import { growTree, newId, type Properties } from './imported-space.ts'

/** A message of another app's export. Those that follow the same one are versions of each other. */
export interface ImportedMessage {
  readonly id: string
  /** The message that it follows; null for a first one. */
  readonly parentId: string | null
  readonly role: 'user' | 'assistant'
  readonly text: string
  /** Unix ms. */
  readonly createdAt: number
  /** The name of the model that wrote it. */
  readonly model?: string | undefined
  readonly thinking?: string | undefined
}

export interface ImportedChat {
  readonly title: string
  /** Unix ms. */
  readonly createdAt: number
  readonly activeAt: number
  readonly isPinned: boolean
  /** A message comes after the one that it follows. */
  readonly messages: readonly ImportedMessage[]
  /** The last message of the branch that was on screen. */
  readonly shownId: string | undefined
}

/** The trees of a space of such chats, as t69 lays them out: see model/space-tree.ts and model/chat-tree.ts. */
export function* treesOfChats(chats: Iterable<ImportedChat>): Generator<ImportedTree> {
  const space = growTree({ version: '0' })
  const configs = space.add({ name: 'app-configs' })
  space.add(
    {
      name: 'default',
      id: 'default',
      title: 'Chat',
      description: 'A basic chat with an AI',
      instructions: '',
    },
    configs,
  )
  const forest = space.add({ name: 'app-forest' })
  for (const name of ['providers', 'settings']) space.add({ name })
  for (const chat of chats) {
    const id = newId()
    const title = titleOf(chat)
    yield { id, vertices: chatVertices(chat, title) }
    const pin = chat.isPinned ? { pinned: true } : {}
    space.add({ tid: id, title, activeAt: chat.activeAt, ...pin, _c: timeText(chat.createdAt) }, forest)
  }
  yield { id: undefined, vertices: space.vertices }
}

function titleOf({ title, messages }: ImportedChat): string {
  const given = title.trim()
  if (given !== '') return startOfText(given, 200).toWellFormed()
  return titleFrom(messages[0]?.text ?? '').toWellFormed() || untitled
}

function chatVertices({ messages, shownId, createdAt }: ImportedChat, title: string) {
  const tree = growTree({
    name: 'app-tree',
    appId: 'default-chat',
    configId: 'default',
    title,
    _c: timeText(createdAt),
  })
  const chain = tree.add({ name: 'messages' })
  tree.add({ name: 'jobs' })
  const parents = new Map(messages.map(({ id, parentId }) => [id, parentId]))
  const shown = new Set<string>()
  for (let id = shownId; id !== undefined && !shown.has(id); id = parents.get(id) ?? undefined) shown.add(id)
  /** The messages below which the branch that was on screen goes on. */
  const leading = new Set(Array.from(shown, (id) => parents.get(id)))
  /** The last vertex of each message, and the first one of the versions of each place. */
  const lastVertex = new Map<string, string>()
  const versions = Map.groupBy(messages, ({ parentId }) => parentId)
  const firstVersion = new Map<string | null, string>()
  for (const message of messages) {
    const { id, parentId } = message
    const siblings = versions.get(parentId) ?? []
    const first = firstVersion.get(parentId)
    // Without a branch that was on screen, the newest version is shown.
    const isMain = leading.has(parentId) ? shown.has(id) : siblings.at(-1) === message
    const version: Properties =
      siblings.length < 2 ? {} : { main: isMain, ...(first === undefined ? {} : { versionOf: first }) }
    const parent = (parentId === null ? undefined : lastVertex.get(parentId)) ?? chain
    const [head = '', ...rest] = partsThatFit(message.text)
    let vertex = tree.add({ ...propertiesOf(message, head), ...version }, parent)
    firstVersion.set(parentId, first ?? vertex)
    // What no message can hold is continued in the next one.
    for (const part of rest) vertex = tree.add(propertiesOf(message, part), vertex)
    lastVertex.set(id, vertex)
  }
  return tree.vertices
}

function propertiesOf({ role, createdAt, model, thinking }: ImportedMessage, text: string): Properties {
  const thoughts = thinking === undefined ? '' : (partsThatFit(thinking)[0] ?? '')
  return {
    name: 'message',
    _c: timeText(createdAt),
    createdAt,
    role,
    text,
    ...(role === 'assistant' && model !== undefined ? { author: model, model } : {}),
    ...(thoughts === '' ? {} : { thinking: thoughts }),
  }
}

/** A text in parts that a property can hold each. */
export function partsThatFit(given: string): string[] {
  // No character takes more than six bytes in JSON.
  const safe = Math.floor(limits.maxValueBytes / 6) - 2
  let text = given.toWellFormed()
  if (text.length <= safe || utf8Length(JSON.stringify(text)) <= limits.maxValueBytes) return [text]
  const parts: string[] = []
  while (text !== '') {
    const part = startOfText(text, safe)
    parts.push(part)
    text = text.slice(part.length)
  }
  return parts
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
