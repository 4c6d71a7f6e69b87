import { z } from 'zod'

import type { ImportedChat, ImportedMessage } from './imported-chat.ts'
import { readShape, timeOf } from './read-json.ts'

/**
 * Open WebUI's "Export chats": a list of chats, each with its messages as a tree in `chat.history`, and `currentId` for the
 * one on screen. The thoughts of a model are a `<details type="reasoning">` in front of its text.
 */

const text = z.string().nullish()
const time = z.number().nullish()

const messageSchema = z.looseObject({
  parentId: text,
  role: z.string(),
  content: z.union([z.string(), z.array(z.looseObject({ type: text, text }))]).nullish(),
  timestamp: time,
  model: text,
  modelName: text,
})

const chatSchema = z.looseObject({
  title: text,
  pinned: z.boolean().nullish(),
  created_at: time,
  updated_at: time,
  chat: z.looseObject({
    title: text,
    timestamp: time,
    history: z.looseObject({ currentId: text, messages: z.record(z.string(), messageSchema) }),
  }),
})

type Message = z.infer<typeof messageSchema>

const hasHistory = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'history' in value

/** One chat that was downloaded by itself is such a list too. */
export function isOpenWebUi(value: unknown): value is unknown[] {
  return (
    Array.isArray(value) &&
    value.some((it) => typeof it === 'object' && it !== null && 'chat' in it && hasHistory(it.chat))
  )
}

export function* openWebUiChats(chats: readonly unknown[], file: string): Generator<ImportedChat> {
  for (const [index, value] of chats.entries()) {
    const read = readShape(chatSchema, value, file, `[${index}]`)
    const { history } = read.chat
    const createdAt = timeOf(read.created_at) ?? timeOf(read.chat.timestamp) ?? Date.now()
    const messages = messagesIn(history.messages, createdAt)
    if (messages.length === 0) continue
    yield {
      title: read.title ?? read.chat.title ?? '',
      createdAt,
      activeAt: timeOf(read.updated_at) ?? createdAt,
      isPinned: read.pinned === true,
      messages,
      shownId: history.currentId ?? undefined,
    }
  }
}

function messagesIn(all: Readonly<Record<string, Message>>, createdAt: number): ImportedMessage[] {
  const below = Map.groupBy(Object.keys(all), (id) => {
    const parent = all[id]?.parentId ?? ''
    return Object.hasOwn(all, parent) ? parent : ''
  })
  const messages: ImportedMessage[] = []
  /** The message that each one stands behind: that itself, or the one before if it says nothing. */
  const standsFor = new Map<string, string>()
  const waiting = (below.get('') ?? []).toReversed()
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const child of (below.get(id) ?? []).toReversed()) waiting.push(child)
    const message = all[id]
    if (message === undefined) continue
    const before = standsFor.get(message.parentId ?? '') ?? null
    const { thinking, said } = contentOf(message)
    if (message.role !== 'user' && message.role !== 'assistant') {
      if (before !== null) standsFor.set(id, before)
      continue
    }
    standsFor.set(id, id)
    messages.push({
      id,
      parentId: before,
      role: message.role,
      text: said,
      createdAt: timeOf(message.timestamp) ?? (messages.at(-1)?.createdAt ?? createdAt) + 1,
      ...(message.role === 'assistant' ? { model: message.modelName ?? message.model ?? undefined } : {}),
      ...(thinking === '' ? {} : { thinking }),
    })
  }
  return messages
}

const reasoning =
  /<details\b[^>]*\btype="reasoning"[^>]*>(?:\s*<summary>[^<]*<\/summary>)?([\s\S]*?)<\/details>/g

function contentOf({ content, role }: Message): { readonly thinking: string; readonly said: string } {
  const all =
    typeof content === 'string'
      ? content
      : (content ?? []).map((part) => part.text ?? (part.type === 'image_url' ? '[Image]' : '')).join('\n\n')
  if (role !== 'assistant') return { thinking: '', said: all }
  const thoughts = Array.from(all.matchAll(reasoning), (match) => unquoted(match[1] ?? ''))
  return { thinking: thoughts.join('\n\n'), said: all.replaceAll(reasoning, '').trim() }
}

/** Open WebUI quotes thoughts, and escapes what looks like HTML in them. */
function unquoted(thoughts: string): string {
  return thoughts
    .trim()
    .replaceAll(/^> ?/gm, '')
    .replaceAll('&gt;', '>')
    .replaceAll('&lt;', '<')
    .replaceAll('&quot;', '"')
    .replaceAll('&#x27;', "'")
    .replaceAll('&amp;', '&')
}
