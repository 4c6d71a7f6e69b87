import type { JsonValue, Presence } from '@t69/protocol'

import { shownLine } from './shown-text.ts'

/**
 * What each tab shows of itself to the others in a space: the chat it has open, the chat its user is typing in, and the
 * chat that it is producing a reply in. Who shows it is the server's word. What is shown is the word of the client,
 * which may be anything.
 */

/** What a tab shows of itself. Each is the id of a chat's tree. Later versions may show more. */
export interface OwnPresence {
  readonly chat: string | null
  readonly typing?: string | undefined
  /** This device is producing a reply there. */
  readonly replying?: string | undefined
}

export interface Person {
  readonly id: string
  readonly name: string
}

/** Who does what in one chat, each person once, in the order in which they came. */
export interface ChatPeople {
  readonly here: readonly Person[]
  readonly typing: readonly Person[]
  /** Their devices are producing replies. */
  readonly replying: readonly Person[]
}

export const nobody: ChatPeople = { here: [], typing: [], replying: [] }

/** The longest id that is read, in UTF-16 code units: twice that of a tree. */
const longestId = 64

/** What another tab shows, as far as it is legible. */
export function parsePresence(state: JsonValue): OwnPresence {
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return { chat: null }
  const idOf = (value: JsonValue | undefined): string | undefined =>
    typeof value === 'string' && value !== '' && value.length <= longestId ? value : undefined
  return {
    chat: idOf(state['chat']) ?? null,
    typing: idOf(state['typing']),
    replying: idOf(state['replying']),
  }
}

/** The form that is sent. JSON has no undefined. */
export function presenceState({ chat, typing, replying }: OwnPresence): Record<string, JsonValue> {
  return {
    chat,
    ...(typing === undefined ? {} : { typing }),
    ...(replying === undefined ? {} : { replying }),
  }
}

/** Who does what in each chat, by the id of its tree. Linear in the number of connections. */
export function peopleByChat(present: readonly Presence[]): ReadonlyMap<string, ChatPeople> {
  const found = new Map<string, Record<keyof ChatPeople, Map<string, Person>>>()
  const add = (treeId: string | null | undefined, to: keyof ChatPeople, person: Person): void => {
    if (treeId === null || treeId === undefined) return
    const chat = found.get(treeId) ?? { here: new Map(), typing: new Map(), replying: new Map() }
    found.set(treeId, chat)
    if (!chat[to].has(person.id)) chat[to].set(person.id, person)
  }
  for (const { user, state } of present) {
    const person = { id: user.id, name: shownLine(user.name) }
    const { chat, typing, replying } = parsePresence(state)
    add(chat, 'here', person)
    add(typing, 'typing', person)
    add(replying, 'replying', person)
  }
  return new Map(
    Array.from(found, ([treeId, { here, typing, replying }]) => [
      treeId,
      { here: [...here.values()], typing: [...typing.values()], replying: [...replying.values()] },
    ]),
  )
}

/** Somebody in a space, and the chat that they have open; null for none. */
export interface PersonInSpace extends Person {
  readonly chat: string | null
}

/**
 * The other people in a space, each once. Whoever has several tabs is where they type, else in the chat `first`, if they
 * have that open, else in the chat of their first tab.
 */
export function othersIn(
  present: readonly Presence[],
  me: string | null,
  first: string | null,
): PersonInSpace[] {
  const people = new Map<string, { person: PersonInSpace; rank: number }>()
  for (const { user, state } of present) {
    if (user.id === me) continue
    const { chat, typing } = parsePresence(state)
    const at = typing ?? chat
    const rank = typing !== undefined ? 3 : at !== null && at === first ? 2 : at === null ? 0 : 1
    const known = people.get(user.id)
    if (known !== undefined && known.rank >= rank) continue
    people.set(user.id, { person: { id: user.id, name: shownLine(user.name), chat: at }, rank })
  }
  return Array.from(people.values(), ({ person }) => person)
}
