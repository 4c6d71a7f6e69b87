import type { VertexOperation } from '@t69/sync-client'

import { chatsIn, messagesIn, type FoundChat, type FoundMessage } from './chat-texts.ts'
import { createMatcher, fold, type Fit, type Matcher } from './matcher.ts'
import type { ChatHit, MessageHit, Progress, SearchResults } from './search-results.ts'
import type { TextStore, TreeTexts } from './text-store.ts'

/**
 * The texts of all spaces that may be searched, in memory and in a store. They are read from what this device has stored, and
 * only for trees of which it has stored something new.
 */
export interface TextIndex {
  /** Forgets all other spaces, and reads what has changed in these. */
  look(spaceIds: readonly string[]): Promise<void>
  /** Resolves with undefined as soon as `isOutdated`. */
  find(query: string, isOutdated: () => boolean): Promise<SearchResults | undefined>
}

/** What this device has stored: `localdb`. */
export interface StoredOperations {
  getTreeStates(spaceId: string): Promise<ReadonlyMap<string, string>>
  getTreeOps(spaceId: string, treeId: string): Promise<readonly VertexOperation[]>
}

interface Deps {
  readonly operations: StoredOperations
  readonly store: TextStore
  /** Lets other messages of the page be heard. */
  readonly pause: () => Promise<void>
  readonly tell: (progress: Progress) => void
}

/** How many messages are shown. */
const mostMessages = 50
const mostChats = 12
/** How many texts are looked at before the next message of the page is heard. */
const textsAtOnce = 5_000
/** How often a tree is read that has ended the page each time. */
const mostTries = 3
/** How much of the messages of one space can be found, in UTF-16 code units: any member may fill a space. */
const mostText = 30_000_000
/** How much is read between two writes, in messages. */
const messagesAWrite = 2_000
/** How much of a text is shown before and after what was found, in UTF-16 code units. */
const before = 40
const after = 160

interface Line {
  readonly spaceId: string
  readonly treeId: string
  readonly messageId: string
  readonly at: number
  readonly text: string
}

/** Lines, the newest first, with the same texts as they are compared. */
interface Lines {
  readonly lines: readonly Line[]
  readonly folded: readonly string[]
}

export async function createTextIndex({ operations, store, pause, tell }: Deps): Promise<TextIndex> {
  const trees = new Map<string, TreeTexts>()
  for (const texts of await store.loadAll()) trees.set(keyOf(texts), texts)
  const tries = new Map<string, number>()
  for (const each of await store.loadTries())
    tries.set(keyOf({ spaceId: each.key[0], treeId: each.key[1] }), each.tries)
  const folded = new WeakMap<TreeTexts, readonly string[]>()
  let lines: Lines | undefined

  async function forget(gone: readonly TreeTexts[]): Promise<void> {
    if (gone.length === 0) return
    for (const texts of gone) trees.delete(keyOf(texts))
    lines = undefined
    await store.remove(gone.map(({ spaceId, treeId }) => [spaceId, treeId]))
  }

  async function read(spaceId: string, treeId: string, state: string): Promise<TreeTexts> {
    const ops = await operations.getTreeOps(spaceId, treeId)
    const isSpace = treeId === spaceId
    return {
      spaceId,
      treeId,
      state,
      messages: isSpace ? [] : messagesIn(ops),
      chats: isSpace ? chatsIn(ops).filter((chat) => chat.treeId !== spaceId) : [],
    }
  }

  async function look(spaceIds: readonly string[]): Promise<void> {
    const wanted = new Set(spaceIds)
    await forget(Array.from(trees.values()).filter(({ spaceId }) => !wanted.has(spaceId)))
    const due: { readonly spaceId: string; readonly treeId: string; readonly state: string }[] = []
    for (const spaceId of spaceIds) {
      const states = await operations.getTreeStates(spaceId)
      await forget(
        Array.from(trees.values()).filter((it) => it.spaceId === spaceId && !states.has(it.treeId)),
      )
      for (const [treeId, state] of states) {
        const key = keyOf({ spaceId, treeId })
        if (trees.get(key)?.state === state || (tries.get(key) ?? 0) >= mostTries) continue
        due.push({ spaceId, treeId, state })
      }
    }
    // The titles of all chats first.
    due.sort((a, b) => Number(b.spaceId === b.treeId) - Number(a.spaceId === a.treeId))
    const lengths = new Map<string, number>()
    for (const { spaceId, messages } of trees.values()) addTo(lengths, spaceId, lengthOf(messages))
    let unsaved: TreeTexts[] = []
    let messages = 0
    for (const [done, { spaceId, treeId, state }] of due.entries()) {
      tell({ done, total: due.length })
      await store.noteReading([spaceId, treeId])
      const all = await read(spaceId, treeId, state)
      const before = addTo(lengths, spaceId, -lengthOf(trees.get(keyOf(all))?.messages ?? []))
      const texts = { ...all, messages: newestWithin(all.messages, mostText - before) }
      addTo(lengths, spaceId, lengthOf(texts.messages))
      trees.set(keyOf(texts), texts)
      lines = undefined
      unsaved.push(texts)
      messages += texts.messages.length
      if (messages < messagesAWrite) continue
      await store.save(unsaved)
      unsaved = []
      messages = 0
      await pause()
    }
    if (unsaved.length > 0) await store.save(unsaved)
    if (due.length > 0) await store.noteReading(undefined)
    // So that the first query does not wait for it.
    lines ??= allLines()
  }

  /** The chats that can be opened, by their key. */
  function listedChats(): Map<string, FoundChat & { readonly spaceId: string }> {
    const chats = new Map<string, FoundChat & { readonly spaceId: string }>()
    for (const texts of trees.values()) {
      for (const chat of texts.chats)
        chats.set(keyOf({ spaceId: texts.spaceId, treeId: chat.treeId }), { ...chat, spaceId: texts.spaceId })
    }
    return chats
  }

  function foldedOf(texts: TreeTexts): readonly string[] {
    const known = folded.get(texts) ?? texts.messages.map(({ text }) => fold(text))
    folded.set(texts, known)
    return known
  }

  function allLines(): Lines {
    const all = Array.from(trees.values()).flatMap((texts) =>
      texts.messages.map((message, index) => ({
        line: {
          spaceId: texts.spaceId,
          treeId: texts.treeId,
          messageId: message.id,
          at: message.at,
          text: message.text,
        },
        folded: foldedOf(texts)[index] ?? '',
      })),
    )
    all.sort((a, b) => b.line.at - a.line.at)
    return { lines: all.map(({ line }) => line), folded: all.map((it) => it.folded) }
  }

  async function find(query: string, isOutdated: () => boolean): Promise<SearchResults | undefined> {
    const matcher = createMatcher(query)
    if (matcher.isEmpty) return { chats: [], messages: [] }
    const listed = listedChats()
    lines ??= allLines()
    const { lines: all, folded: texts } = lines
    const hits: { readonly line: Line; readonly folded: string; readonly fit: Fit }[] = []
    let best = 0
    for (let start = 0; start < all.length && best < mostMessages; start += textsAtOnce) {
      const part = texts.slice(start, start + textsAtOnce)
      for (const index of matcher.filter(part)) {
        const line = all[start + index]
        const text = part[index]
        if (line === undefined || text === undefined || !listed.has(keyOf(line))) continue
        const fit = matcher.fitOf(text)
        if (fit === 0) best += 1
        hits.push({ line, folded: text, fit })
      }
      await pause()
      if (isOutdated()) return undefined
    }
    return {
      chats: findChats(Array.from(listed.values()), matcher),
      messages: hits
        .toSorted((a, b) => a.fit - b.fit)
        .slice(0, mostMessages)
        .map(({ line, folded }) => messageHit(line, folded, listed.get(keyOf(line))?.title ?? '', matcher)),
    }
  }

  return { look, find }
}

const lengthOf = (messages: readonly FoundMessage[]): number =>
  messages.reduce((sum, { text }) => sum + text.length, 0)

/** Returns the new sum. */
function addTo(lengths: Map<string, number>, spaceId: string, length: number): number {
  const sum = (lengths.get(spaceId) ?? 0) + length
  lengths.set(spaceId, sum)
  return sum
}

/** The newest messages that have so much text together. */
function newestWithin(messages: readonly FoundMessage[], length: number): readonly FoundMessage[] {
  if (lengthOf(messages) <= length) return messages
  let left = length
  return messages.toSorted((a, b) => b.at - a.at).filter(({ text }) => (left -= text.length) >= 0)
}

function findChats(
  chats: readonly (FoundChat & { readonly spaceId: string })[],
  matcher: Matcher,
): ChatHit[] {
  const newest = chats.toSorted((a, b) => b.at - a.at)
  const titles = newest.map(({ title }) => fold(title))
  return matcher
    .filter(titles)
    .map((index) => ({ chat: newest[index], folded: titles[index] ?? '' }))
    .map((it) => ({ ...it, fit: matcher.fitOf(it.folded) }))
    .toSorted((a, b) => a.fit - b.fit)
    .slice(0, mostChats)
    .flatMap(({ chat, folded }) =>
      chat === undefined
        ? []
        : [
            {
              spaceId: chat.spaceId,
              treeId: chat.treeId,
              title: chat.title,
              marks: matcher.rangesIn(folded),
            },
          ],
    )
}

function messageHit(line: Line, folded: string, title: string, matcher: Matcher): MessageHit {
  const { spaceId, treeId, messageId, at, text } = line
  const ranges = matcher.rangesIn(folded)
  const first = ranges[0]?.[0] ?? 0
  // Begins and ends between words where there are any.
  const space = text.indexOf(' ', first - before)
  const start =
    first <= before ? 0 : space >= 0 && space < first ? space + 1 : firstCharacterAt(text, first - before)
  const end = firstCharacterAt(text, Math.min(text.length, start + before + after))
  const [head, tail] = [start > 0 ? '…' : '', end < text.length ? '…' : '']
  return {
    spaceId,
    treeId,
    messageId,
    title,
    at,
    // Line ends and tabs are spaces here, each of one character.
    excerpt: head + text.slice(start, end).replaceAll(/\s/g, ' ') + tail,
    marks: ranges
      .filter(([from, to]) => from >= start && to <= end)
      .map(([from, to]) => [from - start + head.length, to - start + head.length] as const),
  }
}

/** `at`, or one before, where it would cut a character in two. */
function firstCharacterAt(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit <= 0xdfff ? at - 1 : at
}

const keyOf = ({ spaceId, treeId }: { readonly spaceId: string; readonly treeId: string }): string =>
  `${spaceId}/${treeId}`
