import { SvelteMap } from 'svelte/reactivity'

import {
  addMessage,
  layOutChat,
  showToAll,
  threadOf,
  titleFrom,
  type NewMessage,
} from '../model/chat-tree.ts'
import { chatTitle, hasNoTitle, itemOfTree, untitled, wasListed } from '../model/space-tree.ts'
import { edit, type Tree } from '../model/tree.ts'
import { choose, type ChatChoice } from '../model/who-answers.ts'
import { answersIn, type Answers } from '../model/who-is-asked.ts'
import { newChatDraft } from './device-storage.ts'
import { Draft } from './draft.svelte.ts'
import type { Items } from './items.svelte.ts'
import { OpenChat, type ChatDeps, type NewChat } from './open-chat.svelte.ts'
import { Panes } from './panes.svelte.ts'

interface Deps extends ChatDeps {
  readonly items: Items
  /** Another chat has the focus, or none. */
  readonly focusMoved: (treeId: string | null) => void
}

/** A message that was written into a chat. */
export interface WrittenMessage {
  readonly treeId: string
  readonly messageId: string
  /** When the AI answers in that chat, which may not be on the screen yet. */
  readonly answers: Answers
}

/** The chats of a space that are open on screen: those in front of a pane that is shown. */
export class OpenChats {
  readonly panes: Panes
  /** Who is to answer in the next chat that is created, where somebody has said so. */
  nextChoice = $state.raw<ChatChoice>({ configId: undefined, model: undefined })
  readonly #deps: Deps
  readonly #open = new SvelteMap<string, OpenChat>()
  /** What new chats begin with, until they are open. */
  readonly #created = new Map<string, NewChat>()
  #blank: Draft | undefined
  #isClosed = false

  constructor(deps: Deps) {
    this.#deps = deps
    this.panes = new Panes(deps.space.id, () => this.follow())
  }

  /** The chat in the pane with the focus; null where none is in front. */
  readonly focused = $derived.by(() => this.find(this.panes.focused.front?.treeId))

  /** What is being written in a pane without a chat. The next chat that is created takes it over. */
  get blank(): Draft {
    this.#blank ??= new Draft(this.#deps.space.id, () => newChatDraft)
    return this.#blank
  }

  find(treeId: string | undefined): OpenChat | null {
    return treeId === undefined ? null : (this.#open.get(treeId) ?? null)
  }

  /**
   * Shows the panes as this device left them, with the chat `wanted` in front. A chat of `crashed` is not opened. Resolves with
   * one that would have been. The others are being opened then: a large one takes longer than all else.
   */
  async restore(wanted: string | null, crashed: ReadonlySet<string>): Promise<string | null> {
    const root = this.#deps.root()
    let left: string | null = null
    await this.panes.restore((treeId) => {
      if (crashed.has(treeId)) left = treeId
      return itemOfTree(root, treeId) !== undefined && !crashed.has(treeId)
    })
    if (wanted !== null && crashed.has(wanted)) {
      left = wanted
      this.panes.rest(this.panes.focused.id)
    } else if (wanted !== null) this.panes.show(wanted, this.#deps.items.titleOfChat(wanted))
    this.follow()
    return left
  }

  /**
   * Opens a chat in front of its pane, or of the one with the focus, at once: messages written from now on go there. Null is
   * none. Resolves when its tree is loaded.
   */
  async open(treeId: string | null): Promise<void> {
    if (treeId === null) this.panes.rest(this.panes.focused.id)
    else this.panes.show(treeId, this.#deps.items.titleOfChat(treeId))
    await this.focused?.opened
  }

  /**
   * Opens a new chat, which gets into the sidebar with its title or its first message; until then, asking for a new chat shows
   * this one again. `folderId` null is the top level.
   */
  async create(folderId: string | null): Promise<OpenChat> {
    const fresh = Array.from(this.#open.values()).find(({ newIn }) => newIn !== null)
    if (fresh !== undefined) {
      fresh.newIn = { folderId }
      this.panes.show(fresh.treeId, chatTitle(untitled))
      return fresh
    }
    const { space } = this.#deps
    const tree = await space.createTree()
    const treeId = space.treeIdOf(tree)
    layOutChat(tree, untitled)
    const { configId, model } = this.nextChoice
    if (configId !== undefined) choose(tree, { configId })
    if (model !== undefined) choose(tree, model)
    this.nextChoice = { configId: undefined, model: undefined }
    this.#created.set(treeId, { created: tree, begun: this.#blank })
    this.#blank = undefined
    const waiting = this.panes.shown.find(({ front }) => front === null)
    if (waiting !== undefined) this.panes.focus(waiting.id)
    this.panes.show(treeId, chatTitle(untitled))
    const chat = this.find(treeId)
    // The page has left the space meanwhile.
    if (chat === null) throw new Error('The space is closed')
    chat.newIn = { folderId }
    return chat
  }

  /** Adds a message to a chat, or to a new one. A chat without a title takes it from its first message. */
  async write(to: OpenChat | null, message: NewMessage): Promise<WrittenMessage> {
    const chat = to ?? (await this.create(null))
    const { treeId, newIn } = chat
    const { space, chosen, activity } = this.#deps
    // From now on, a new chat is another one.
    chat.newIn = null
    try {
      // Opened for the message alone: the chat may still be loading, and may leave the screen before it is there.
      const tree = await space.openTree(treeId)
      const thread = threadOf(tree, undefined, chosen.ids)
      const messageId = addMessage(tree, message, thread.at(-1)?.id)
      showToAll(tree, thread, messageId)
      chat.firstUnread = null
      this.#list(treeId, newIn?.folderId ?? null)
      activity.wrote(treeId)
      activity.mentioned(treeId, message.mentions ?? [])
      const item = itemOfTree(this.#deps.root(), treeId)
      if (item && hasNoTitle(item) && message.text.trim() !== '') {
        this.#entitle(tree, item.id, titleFrom(message.text))
      }
      const answers = answersIn(tree)
      await space.closeTree(treeId)
      return { treeId, messageId, answers }
    } catch (error) {
      if (!wasListed(this.#deps.root(), treeId)) chat.newIn = newIn
      throw error
    }
  }

  async rename(treeId: string, title: string): Promise<void> {
    const { items } = this.#deps
    const chat = this.find(treeId)
    const newIn = chat?.newIn ?? null
    if (chat !== null) chat.newIn = null
    const isNew = !wasListed(this.#deps.root(), treeId)
    this.#list(treeId, newIn?.folderId ?? null)
    const item = itemOfTree(this.#deps.root(), treeId)
    // The first title is part of making the chat, and not undone without that.
    if (item && isNew && chat?.tree) this.#entitle(chat.tree, item.id, title)
    else if (item) await items.rename(item.id, title)
    else await items.renameTree(treeId, title)
  }

  /** Gives a chat of the sidebar a title that nobody chose. There is nothing to undo then. */
  async name(treeId: string, title: string): Promise<void> {
    const { space, root } = this.#deps
    const tree = await space.openTree(treeId)
    try {
      const item = itemOfTree(root(), treeId)
      if (item !== undefined) this.#entitle(tree, item.id, title)
    } finally {
      await space.closeTree(treeId)
    }
  }

  /** Sets both titles of a chat, and notes nothing that could be undone. */
  #entitle(tree: Tree, itemId: string, title: string): void {
    this.#deps.items.setTitle(itemId, title)
    edit(tree, () => tree.root?.setProperty('title', title.toWellFormed()))
  }

  /** Closes the tabs in front whose chats were deleted. */
  leaveDeleted(): void {
    const root = this.#deps.root()
    for (const treeId of this.#open.keys())
      if (wasListed(root, treeId) && itemOfTree(root, treeId) === undefined) this.panes.close(treeId)
  }

  /** Puts a chat into the sidebar that has never been there, as one that has no title yet. */
  #list(treeId: string, folderId: string | null): void {
    const { items } = this.#deps
    if (wasListed(this.#deps.root(), treeId)) return
    const itemId = items.addChat(treeId, { title: untitled, folderId })
    if (this.focused?.treeId === treeId) items.selectedId = itemId
  }

  /** Another replica has replaced the one of a tree. */
  replaced(treeId: string): Promise<void> | undefined {
    return this.#open.get(treeId)?.reload()
  }

  /** Opens what has come in front, and closes what has not stayed there. */
  follow(): void {
    if (this.#isClosed) return
    const { focused, shown } = this.panes
    const wanted = new Set([focused, ...shown].flatMap(({ front }) => front?.treeId ?? []))
    for (const [treeId, chat] of this.#open) {
      if (wanted.has(treeId)) continue
      this.#open.delete(treeId)
      chat.close()
    }
    // One after another, that with the focus first: a page that crashes says which one it was opening.
    let opened = Promise.resolve()
    for (const treeId of wanted) if (!this.#open.has(treeId)) opened = this.#begin(treeId, opened).opened
    // It is stored by then, and may be continued in a new chat.
    if (shown.every(({ front }) => front !== null)) this.#blank = undefined
    this.#deps.focusMoved(focused.front?.treeId ?? null)
  }

  #begin(treeId: string, after: Promise<void>): OpenChat {
    const chat = new OpenChat(this.#deps, treeId, after, this.#created.get(treeId))
    this.#created.delete(treeId)
    this.#open.set(treeId, chat)
    // Whoever asked for it learns of the failure too.
    chat.opened.catch(() => {
      const pane = this.panes.paneOf(treeId)
      if (this.#open.get(treeId) === chat && pane?.front?.treeId === treeId) this.panes.rest(pane.id)
    })
    return chat
  }

  close(): void {
    this.#isClosed = true
    for (const chat of this.#open.values()) chat.close()
    this.#open.clear()
  }
}
