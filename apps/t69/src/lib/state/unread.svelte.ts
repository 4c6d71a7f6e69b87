import type { Presence } from '@t69/protocol'
import type { Space } from '@t69/sync-client'

import { activeTimeOf } from '../model/activity.ts'
import { threadOf, writingOf } from '../model/chat-tree.ts'
import { parsePresence } from '../model/presence.ts'
import { itemOfTree } from '../model/space-tree.ts'
import type { Tree } from '../model/tree.ts'
import { firstUnread, latestActivity, mentionTimeOf, newsIn, nothingSeen } from '../model/unread.ts'
import type { IsOwn, News, SeenSpace } from '../model/unread.ts'
import { readSeen, saveSeen } from './device-storage.ts'
import { createTreeReader } from './tree-signals.ts'

const nothingNew: ReadonlyMap<string, News> = new Map()

/**
 * What is new in a space for the user. What they have seen is stored on this device. What they wrote themselves, on any
 * device, is not new; nor is what they look at on another device right now, as its presence says.
 */
export class Unread {
  readonly #space: Space
  readonly #tree: () => Tree
  readonly #watchAuthors: () => void
  #seen = $state.raw<SeenSpace>(nothingSeen)
  /** The account of the user; null while nobody is signed in. */
  me = $state<string | null>(null)
  /** The chats that this page saw since what was seen was stored last. */
  readonly #fresh = new Set<string>()
  readonly #restored: Promise<void>
  #isClosed = false
  /** Resolves once everything that was to be stored is. */
  #saved: Promise<void> = Promise.resolve()
  /** Something is to be stored, and that has not begun. */
  #isDue = false
  readonly #readChats = $derived.by(() => {
    const tree = this.#tree()
    return createTreeReader(tree, this.#space.id, (visit) => {
      this.#watchAuthors()
      return this.me === null
        ? nothingNew
        : newsIn(tree, this.#seen, { me: this.me, isOwn: this.#isOwn }, visit)
    })
  })
  /** What is new in each chat that has something new, by the ids of their trees. */
  readonly chats = $derived(this.#readChats())

  constructor(space: Space, tree: () => Tree, watchAuthors: () => void) {
    this.#space = space
    this.#tree = tree
    this.#watchAuthors = watchAuthors
    this.#restored = this.reload()
  }

  readonly #isOwn: IsOwn = (op) => {
    const found = this.#space.authorOf({ treeId: this.#space.id, clock: op.counter, peerId: op.peerId })
    return found === null ? op.peerId === this.#tree().peerId : found.userId === this.me
  }

  /** Takes over what another tab of this device has stored meanwhile. */
  async reload(): Promise<void> {
    const { since, chats } = await readSeen(this.#space.id)
    const known = Array.from(this.#seen.chats)
    const fresh = known.filter(([treeId]) => this.#fresh.has(treeId))
    // Where the browser stores nothing, what this page knows is all there is.
    this.#seen = { since: since ?? this.#seen.since, chats: new Map([...known, ...chats, ...fresh]) }
  }

  /** This device has all of the space. What it has for the first time is not new. */
  async caughtUp(): Promise<void> {
    await this.#restored
    if (this.#seen.since !== null) return
    this.#seen = { ...this.#seen, since: latestActivity(this.#tree()) }
    // At once: a page that is left before would take what comes until the next one for old.
    await this.#save()
  }

  /** Resolves once it is known what this device has seen before. */
  get ready(): Promise<void> {
    return this.#restored
  }

  /** The first message of a chat that is new; null for none. */
  firstIn(treeId: string, chat: Tree): string | null {
    const isOwn = (messageId: string): boolean => {
      const op = writingOf(chat, messageId)
      if (op === undefined) return false
      const found = this.#space.authorOf({ treeId, clock: op.counter, peerId: op.peerId })
      return found === null ? op.peerId === chat.peerId : found.userId === this.me
    }
    const last = this.#seen.chats.get(treeId)?.last ?? null
    return this.me === null ? null : firstUnread(threadOf(chat), last, isOwn)
  }

  /** The reader sees a chat, up to the message `last`. */
  see(treeId: string, last: string | null): void {
    const tree = this.#tree()
    const item = itemOfTree(tree, treeId)
    if (item === undefined) return
    const at = activeTimeOf(item)
    const known = this.#seen.chats.get(treeId)
    const mention = this.me === null ? 0 : mentionTimeOf(item, this.me)
    if (known?.at === at && known.mention === mention && (last === null || known.last === last)) return
    const chats = new Map(this.#seen.chats).set(treeId, { at, last: last ?? known?.last ?? null, mention })
    this.#seen = { ...this.#seen, chats }
    this.#fresh.add(treeId)
    void this.#save()
  }

  /** Other devices of the user show which chats they look at. */
  seenElsewhere(present: readonly Presence[]): void {
    for (const { user, state } of present) {
      const { chat } = parsePresence(state)
      if (user.id === this.me && chat !== null && this.chats.has(chat)) this.see(chat, null)
    }
  }

  /** Stores nothing any more: this device may have forgotten the space. */
  close(): void {
    this.#isClosed = true
  }

  /** Stores what was seen at once: the page may be left. What is seen meanwhile is stored together afterwards. */
  #save(): Promise<void> {
    if (!this.#isDue) this.#saved = this.#saved.then(() => this.#store())
    this.#isDue = true
    return this.#saved
  }

  /** Stores what was seen, beside what other tabs have stored. */
  async #store(): Promise<void> {
    this.#isDue = false
    await this.#restored
    await this.reload()
    this.#fresh.clear()
    if (!this.#isClosed) await saveSeen(this.#space.id, this.#seen)
  }
}
