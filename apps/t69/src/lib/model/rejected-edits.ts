import { limits, utf8Length } from '@t69/protocol'
import type { RejectedEdit } from '@t69/sync-client'

import { titleFrom } from './chat-tree.ts'
import { answerText } from './error-text.ts'
import { itemOfTree, titleOf } from './space-tree.ts'
import { nameOf, textOf, type Tree, type Vertex } from './tree.ts'

/** Edits that the server refused, in words for their author. */
export interface RejectedItem {
  readonly id: string
  /** "Your message “Hello” in the chat “Plans”" */
  readonly what: string
  /** "It is larger than 512 kB." */
  readonly why: string
}

/**
 * How to get room again, when the server refused edits because the space is full; null otherwise. Nothing that
 * anyone does within the space makes room: deleted items stay in its history.
 */
export function roomAdvice(rejected: readonly RejectedEdit[]): string | null {
  if (!rejected.some(({ code }) => code === 'quota_exceeded')) return null
  return (
    'Deleting things in this space makes no room, because their history stays. There is room once its owner ' +
    'deletes a whole space, or the server’s operator raises the limit. Try again then, or continue in a new space.'
  )
}

/** One entry for each thing that the user sees as one, however many edits it took. */
export function rejectedItemsOf(
  rejected: readonly RejectedEdit[],
  space: Tree,
  chats: ReadonlyMap<string, Tree>,
): RejectedItem[] {
  const refusals = new Map<string, RejectedItem>()
  for (const edit of rejected) {
    const { op } = edit
    const chat = chats.get(op.treeId)
    const what = op.treeId === space.root?.id ? partOfSpace(op, space) : partOfChat(op, space, chat)
    const why = reasonOf(edit)
    const id = `${what}: ${why}`
    refusals.set(id, { id, what, why })
  }
  return [...refusals.values()]
}

function partOfSpace(op: RejectedEdit['op'], space: Tree): string {
  const vertex = space.getVertex(op.targetId)
  if (vertex === undefined || textOf(vertex, 'title') === undefined) return 'A setting of this space'
  const title = titleOf(vertex)
  if (op.key === undefined) return `The position of “${title}”`
  return op.key === 'title' ? `The title “${title}”` : `A setting of “${title}”`
}

function partOfChat(op: RejectedEdit['op'], space: Tree, chat: Tree | undefined): string {
  const item = itemOfTree(space, op.treeId)
  const root = chat?.root
  const title = item ? titleOf(item) : root && textOf(root, 'title')
  if (op.treeId === String(op.targetId)) return settingOfChat(op, title)
  const vertex = chat?.getVertex(op.targetId)
  const text = op.key === 'text' && typeof op.value === 'string' ? op.value : vertex && textOf(vertex, 'text')
  if (text === undefined) return title === undefined ? 'A part of a chat' : `A part of the chat “${title}”`
  return partWithText(vertex, titleFrom(text), title)
}

function settingOfChat({ key }: RejectedEdit['op'], title: string | undefined): string {
  if (key === 'title') return title === undefined ? 'The title of a chat' : `The title of the chat “${title}”`
  return title === undefined ? 'A setting of a chat' : `A setting of the chat “${title}”`
}

function partWithText(vertex: Vertex | undefined, start: string, title: string | undefined): string {
  const isMessage = vertex !== undefined && nameOf(vertex) === 'message'
  if (isMessage && textOf(vertex, 'role') === 'user')
    return title === undefined
      ? `Your message “${start}” in a chat`
      : `Your message “${start}” in the chat “${title}”`
  if (isMessage)
    return title === undefined
      ? `The reply “${start}” in a chat`
      : `The reply “${start}” in the chat “${title}”`
  return title === undefined ? `The text “${start}” in a chat` : `The text “${start}” in the chat “${title}”`
}

function reasonOf({ op, code, message }: RejectedEdit): string {
  const isLarge = op.value !== undefined && utf8Length(JSON.stringify(op.value)) > limits.maxValueBytes
  if (isLarge || code === 'too_large') return `It is larger than ${limits.maxValueBytes / 1024} kB.`
  return answerText({ code, message })
}
