import { edit, type Tree, type Vertex } from './tree.ts'

/**
 * Mentions: `@name` in the text of a message, which is all that others read. Beside it, the message has the ids of the
 * accounts that are meant (`mentions`), and the chat's item in the space's tree says when each of them was mentioned last,
 * so that the sidebar can show it while the chat is not loaded.
 */

/** Who can be mentioned: somebody in the space, or the AI, by its own name or that of an assistant. */
export interface Mentionable {
  readonly kind: 'person' | 'ai'
  /** Of an account or of an assistant; empty for whoever answers in the chat. */
  readonly id: string
  readonly name: string
}

/** The name by which the AI is asked, whichever assistant it is. */
export const aiName = 'AI'

/** How many signs of a text are looked at, and how many people a message mentions: each costs an operation. */
const mostSigns = 500
const mostMentioned = 20

const isWord = /[\p{L}\p{N}_]/u

/** Who is mentioned in a text, each once, in order. Of two names that fit, the longer one is meant. */
export function mentionsIn(text: string, known: readonly Mentionable[]): Mentionable[] {
  const names = known
    .filter(({ name }) => name.trim() !== '')
    .toSorted((a, b) => b.name.length - a.name.length)
    .map((who) => ({ who, name: who.name.toLocaleLowerCase() }))
  const found = new Set<Mentionable>()
  let at = text.indexOf('@')
  for (let count = 0; at >= 0 && count < mostSigns; count++, at = text.indexOf('@', at + 1)) {
    // As in an e-mail address.
    if (at > 0 && isWord.test(text.charAt(at - 1))) continue
    const longest = names.find(({ name }) => isNamedAt(text, at + 1, name))
    if (longest === undefined) continue
    // Two people of one name are both meant.
    for (const { who, name } of names) if (name === longest.name) found.add(who)
  }
  return [...found].slice(0, mostMentioned)
}

function isNamedAt(text: string, start: number, name: string): boolean {
  const end = start + name.length
  if (text.slice(start, end).toLocaleLowerCase() !== name) return false
  return !isWord.test(text.charAt(end))
}

/** What somebody is typing after an `@` before the caret, and where the `@` is; null when it is no mention. */
export function mentionBefore(
  text: string,
  caret: number,
): { readonly start: number; readonly typed: string } | null {
  const before = text.slice(Math.max(0, caret - 60), caret)
  const [, typed] = /(?:^|[^\p{L}\p{N}_])@([^\s@]*(?: [^\s@]*)?)$/u.exec(before) ?? []
  return typed === undefined ? null : { start: caret - typed.length - 1, typed }
}

/** Those whose name, or a word of it, begins with what is typed. */
export function matching(known: readonly Mentionable[], typed: string): Mentionable[] {
  const wanted = typed.toLocaleLowerCase()
  return known.filter(({ name }) => {
    const low = name.toLocaleLowerCase()
    return low.startsWith(wanted) || low.split(/\s+/).some((word) => word.startsWith(wanted))
  })
}

/** The ids of the accounts that a message mentions, as far as they are legible. */
export function mentionedIn(vertex: Vertex): string[] {
  const value = vertex.getProperty('mentions', false)
  if (!Array.isArray(value)) return []
  return value.slice(0, mostMentioned).flatMap((id) => (typeof id === 'string' ? id : []))
}

/** The property of a chat's item that says when an account was mentioned there last, in Unix ms. */
export function mentionKey(userId: string): string {
  return `mention:${userId}`
}

/** Notes on a chat's item that accounts were mentioned. */
export function noteMentions(tree: Tree, item: Vertex, userIds: readonly string[], now: number): void {
  edit(tree, () => {
    for (const id of userIds) item.setProperty(mentionKey(id), now)
  })
}
