import type { Presence, Rights, User } from '@t69/protocol'
import type { Space, SpaceStatus } from '@t69/sync-client'
import { SvelteSet } from 'svelte/reactivity'

import { recordEarlierAuthor, type Author } from '../model/authorship.ts'
import { addMessage, layOutChat, titleFrom, type NewMessage } from '../model/chat-tree.ts'
import { deleteItem, restoreItems, type DeletedItems } from '../model/deletions.ts'
import { addItem, itemOfTree, renameItem, titleOf, untitled } from '../model/space-tree.ts'
import { edit, textOf, type Tree } from '../model/tree.ts'
import {
  readColorScheme,
  readSavedView,
  saveColorScheme,
  saveView,
  type ColorScheme,
} from './device-storage.ts'
import { MassDeletions } from './mass-deletions.svelte.ts'

/** A chat that is open, with its tree. */
export interface OpenChat {
  readonly treeId: string
  readonly tree: Tree
}

/** The space on screen: what the client says of it, what the sidebar shows, and which chat is open. */
export class SpaceView {
  readonly space: Space
  /** The space's own tree. */
  tree: Tree
  status: SpaceStatus
  name: string
  /** The server knows the user as a member: the space is not local, and the user was not removed from it. */
  isMember: boolean
  /** What the user may do in the space: the screens ask nothing else. */
  rights: Rights
  present: readonly Presence[]
  /** The tree id of the chat on screen; null when there is none. */
  chatId = $state<string | null>(null)
  /** The same chat with its tree; null until the tree is loaded from the disk. */
  chat = $state.raw<OpenChat | null>(null)
  /** The item of the sidebar that has the keyboard. */
  selectedId = $state<string | null>(null)
  colorScheme = $state<ColorScheme>('system')
  readonly openFolders = new SvelteSet<string>()
  readonly massDeletions: MassDeletions
  /** Where deleting the space would delete it; null when the user may not. */
  readonly deletes = $derived.by<'everywhere' | 'here' | null>(() => {
    if (!this.isMember) return 'here'
    return this.rights.delete ? 'everywhere' : null
  })
  #opened: Promise<void> = Promise.resolve()
  #stops: (() => void)[] = []

  constructor(space: Space) {
    this.space = space
    this.tree = $state.raw(space.root)
    this.status = $state.raw(space.status)
    this.name = $state(space.name)
    this.isMember = $state(space.role !== null)
    this.rights = $state.raw(space.rights)
    this.present = $state.raw(space.presence)
    this.massDeletions = new MassDeletions(space)
    this.refresh()
    this.massDeletions.watch(this.tree)
    this.#stops.push(
      () => this.massDeletions.stop(),
      space.onStatus(() => this.refresh()),
      space.onPresence((present) => {
        this.present = present
      }),
      space.onReplaced((treeId) => void this.#replaced(treeId)),
    )
  }

  /** Reads again what the client says of the space. */
  refresh(): void {
    this.status = this.space.status
    this.name = this.space.name
    this.isMember = this.space.role !== null
    this.rights = this.space.rights
    if (this.status.phase === 'live') this.massDeletions.caughtUp(this.tree)
  }

  /** Makes a local space a synced one, and notes `user` as the author of what it holds by then. */
  async enableSync(user: User): Promise<void> {
    await this.space.enableSync()
    recordEarlierAuthor(this.tree, { id: user.id, name: user.name, until: Date.now() })
  }

  /** Shows the space as this device left it, with the chat `treeId` or the one that was open last. */
  async restore(treeId: string | null): Promise<void> {
    const saved = await readSavedView(this.space.id)
    for (const id of saved.openFolders) this.openFolders.add(id)
    this.colorScheme = await readColorScheme(this.space.id)
    const last = saved.chat !== null && itemOfTree(this.tree, saved.chat) !== undefined ? saved.chat : null
    await this.openChat(treeId ?? last)
  }

  /**
   * Switches to a chat, or to none, at once: messages written from now on go there. Resolves when its tree is
   * loaded.
   */
  async openChat(treeId: string | null): Promise<void> {
    if (this.chatId !== treeId) {
      this.#show(treeId, null)
      this.#opened = treeId === null ? Promise.resolve() : this.#load(treeId)
    }
    await this.#opened
  }

  /** Creates a chat and shows it. `folderId` null is the top level. */
  async newChat(folderId: string | null, title = untitled): Promise<OpenChat> {
    const tree = await this.space.createTree()
    const treeId = this.space.treeIdOf(tree)
    layOutChat(tree, title)
    this.selectedId = addItem(this.tree, { title, treeId, folderId })
    if (folderId !== null) this.openFolder(folderId, true)
    const chat = { treeId, tree }
    this.#show(treeId, chat)
    return chat
  }

  newFolder(parentId: string | null): string {
    const id = addItem(this.tree, { title: 'New folder', folderId: parentId })
    if (parentId !== null) this.openFolder(parentId, true)
    this.selectedId = id
    return id
  }

  /**
   * Adds a message to the open chat, or to a new one, and resolves with the chat's tree id. A chat without a title
   * takes it from its first message.
   */
  async write(message: NewMessage): Promise<string> {
    const treeId = this.chatId ?? (await this.newChat(null)).treeId
    // Opened for the message alone: the chat may still be loading, and may leave the screen before it is there.
    const tree = await this.space.openTree(treeId)
    addMessage(tree, message)
    const item = itemOfTree(this.tree, treeId)
    if (item && titleOf(item) === untitled && message.text.trim() !== '')
      await this.renameChat(treeId, titleFrom(message.text))
    await this.space.closeTree(treeId)
    return treeId
  }

  /** The title is stored twice, as t69 always did: in the sidebar's vertex and in the chat's own tree. */
  async renameChat(treeId: string, title: string): Promise<void> {
    const item = itemOfTree(this.tree, treeId)
    if (item) renameItem(this.tree, item.id, title)
    await this.#renameTree(treeId, title)
  }

  async renameItem(itemId: string, title: string): Promise<void> {
    const item = this.tree.getVertex(itemId)
    if (item === undefined || titleOf(item) === title) return
    renameItem(this.tree, itemId, title)
    const treeId = textOf(item, 'tid')
    if (treeId !== undefined) await this.#renameTree(treeId, title)
  }

  /** Deletes an item from the sidebar, on behalf of `by`. Returns a function that restores it. */
  deleteItem(itemId: string, by: Author | null): () => void {
    // A full server refuses edits but accepts deletions, as long as no other edit comes with them.
    const mark = this.status.rejected === 0 ? { by, at: Date.now() } : null
    const deleted = deleteItem(this.tree, itemId, mark)
    if (this.chatId !== null && itemOfTree(this.tree, this.chatId) === undefined) void this.openChat(null)
    if (this.selectedId === itemId) this.selectedId = null
    return () => restoreItems(this.tree, deleted)
  }

  /** Restores those of the items that are still deleted. */
  restoreItems(deletion: DeletedItems): void {
    restoreItems(this.tree, deletion)
  }

  openFolder(id: string, open: boolean): void {
    if (open) this.openFolders.add(id)
    else this.openFolders.delete(id)
    this.#saveView()
  }

  async setColorScheme(scheme: ColorScheme): Promise<void> {
    this.colorScheme = scheme
    await saveColorScheme(this.space.id, scheme)
  }

  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop()
    this.chatId = null
    this.chat = null
    await this.space.close()
  }

  async #renameTree(treeId: string, title: string): Promise<void> {
    const tree = await this.space.openTree(treeId)
    edit(tree, () => tree.root?.setProperty('title', title.toWellFormed()))
    await this.space.closeTree(treeId)
  }

  /** Edits were discarded: another replica has replaced the one on screen. */
  async #replaced(treeId: string): Promise<void> {
    if (treeId === this.space.id) {
      this.tree = this.space.root
      this.massDeletions.watch(this.tree)
    }
    if (this.chat?.treeId !== treeId) return
    const tree = await this.space.openTree(treeId)
    if (this.chat?.treeId === treeId) this.chat = { treeId, tree }
    // The chat itself still has it open.
    await this.space.closeTree(treeId)
  }

  async #load(treeId: string): Promise<void> {
    try {
      const tree = await this.space.openTree(treeId)
      // Meanwhile another chat was opened, or this one was opened again and its tree came first.
      if (this.chatId !== treeId || this.chat !== null) await this.space.closeTree(treeId)
      else this.chat = { treeId, tree }
    } catch (error) {
      if (this.chatId === treeId && this.chat === null) this.#show(null, null)
      throw error
    }
  }

  /** Makes a chat the one on screen, and closes the tree of the one before. */
  #show(treeId: string | null, chat: OpenChat | null): void {
    const before = this.chat
    this.chatId = treeId
    this.chat = chat
    this.space.setPresence({ chat: treeId })
    this.#saveView()
    if (before) void this.space.closeTree(before.treeId)
  }

  #saveView(): void {
    void saveView(this.space.id, {
      chat: this.chatId,
      openFolders: [...this.openFolders],
    })
  }
}
