import { z } from 'zod'

import type { ImportedChat, ImportedMessage } from './imported-chat.ts'
import { readShape, timeOf } from './read-json.ts'

/**
 * The `conversations.json` of ChatGPT's "Export data", as of 2025. A conversation is a tree of nodes in `mapping`, with
 * the one on screen as `current_node`. Nodes without a message, instructions, tools and what was said to tools are left
 * out; what follows them follows the message before them.
 */

const text = z.string().nullish()
const time = z.number().nullish()

const messageSchema = z.looseObject({
  author: z.looseObject({ role: z.string() }),
  create_time: time,
  recipient: text,
  content: z.looseObject({
    content_type: text,
    parts: z.array(z.unknown()).nullish(),
    text,
    thoughts: z.array(z.looseObject({ summary: text, content: text })).nullish(),
  }),
  metadata: z
    .looseObject({ model_slug: text, is_visually_hidden_from_conversation: z.boolean().nullish() })
    .nullish(),
})

const conversationSchema = z.looseObject({
  title: text,
  create_time: time,
  update_time: time,
  current_node: text,
  is_starred: z.boolean().nullish(),
  mapping: z.record(
    z.string(),
    z.looseObject({
      parent: text,
      children: z.array(z.string()).nullish(),
      message: messageSchema.nullish(),
    }),
  ),
})

type Conversation = z.infer<typeof conversationSchema>
type Message = z.infer<typeof messageSchema>

export function isChatGpt(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.some((it) => typeof it === 'object' && it !== null && 'mapping' in it)
}

export function* chatGptChats(conversations: readonly unknown[], file: string): Generator<ImportedChat> {
  for (const [index, value] of conversations.entries()) {
    const chat = chatOf(readShape(conversationSchema, value, file, `[${index}]`))
    if (chat.messages.length > 0) yield chat
  }
}

function chatOf(conversation: Conversation): ImportedChat {
  const { mapping, title, current_node: current } = conversation
  const createdAt = timeOf(conversation.create_time) ?? Date.now()
  const messages: ImportedMessage[] = []
  /** The message that each node is or stands behind; null before the first. */
  const messageOf = new Map<string, string | null>()
  /** What the model thought before its next message. */
  const thoughts = new Map<string, string>()
  for (const id of nodesInOrder(mapping)) {
    const node = mapping[id]
    if (node === undefined) continue
    const parent = node.parent ?? ''
    const before = messageOf.get(parent) ?? null
    const message = node.message ?? undefined
    const thought = [thoughts.get(parent) ?? '', message === undefined ? '' : thoughtsIn(message)]
      .filter((part) => part !== '')
      .join('\n\n')
    const said = message === undefined ? '' : textIn(message)
    if (message === undefined || said === '') {
      messageOf.set(id, before)
      if (message?.author.role !== 'user') thoughts.set(id, thought)
      continue
    }
    const previous = messages.at(-1)?.createdAt ?? createdAt
    const isReply = message.author.role === 'assistant'
    messages.push({
      id,
      parentId: before,
      role: isReply ? 'assistant' : 'user',
      text: said,
      createdAt: timeOf(message.create_time) ?? previous + 1,
      ...(isReply ? { model: message.metadata?.model_slug ?? 'ChatGPT' } : {}),
      ...(isReply && thought !== '' ? { thinking: thought } : {}),
    })
    messageOf.set(id, id)
  }
  return {
    title: title ?? '',
    createdAt,
    activeAt: timeOf(conversation.update_time) ?? createdAt,
    isPinned: conversation.is_starred === true,
    messages,
    shownId: (current === null || current === undefined ? undefined : messageOf.get(current)) ?? undefined,
  }
}

/** The ids of the nodes, each after its parent, and siblings in their order. What hangs on nothing comes first. */
function nodesInOrder(mapping: Conversation['mapping']): string[] {
  const ids = Object.keys(mapping)
  const waiting = ids.filter((id) => !Object.hasOwn(mapping, mapping[id]?.parent ?? '')).toReversed()
  const below = Map.groupBy(ids, (id) => mapping[id]?.parent ?? '')
  const order: string[] = []
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    order.push(id)
    const listed = mapping[id]?.children ?? []
    const children = below.get(id) ?? []
    const rank = new Map(listed.map((child, index) => [child, index]))
    const at = (child: string): number => rank.get(child) ?? listed.length
    for (const child of children.toSorted((a, b) => at(b) - at(a))) waiting.push(child)
  }
  return order
}

/** What a person sees of a message; empty for what no person does. */
function textIn({ author, content, recipient, metadata }: Message): string {
  const isSaid = author.role === 'user' || author.role === 'assistant'
  const isHidden = metadata?.is_visually_hidden_from_conversation === true
  if (!isSaid || isHidden || (recipient ?? 'all') !== 'all') return ''
  const type = content.content_type ?? 'text'
  if (type !== 'text' && type !== 'multimodal_text' && type !== 'code') return ''
  const parts = (content.parts ?? [content.text]).map(partText).filter((part) => part !== '')
  return parts.join('\n\n')
}

/** Pictures and recordings are not in conversations.json: they are named, so that the answer to them makes sense. */
function partText(part: unknown): string {
  if (typeof part === 'string') return part.trim()
  if (typeof part !== 'object' || part === null) return ''
  if ('text' in part && typeof part.text === 'string') return part.text.trim()
  const type = 'content_type' in part ? part.content_type : undefined
  if (type === 'image_asset_pointer') return '[Image]'
  return type === 'audio_asset_pointer' || type === 'real_time_user_audio_video_asset_pointer'
    ? '[Audio]'
    : ''
}

function thoughtsIn({ content }: Message): string {
  if (content.content_type !== 'thoughts') return ''
  return (content.thoughts ?? [])
    .map((it) => [it.summary, it.content].filter((part) => part).join('\n\n'))
    .join('\n\n')
}
