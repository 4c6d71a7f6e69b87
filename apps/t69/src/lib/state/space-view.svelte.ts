import type { Presence, Rights, RoleName, User } from '@t69/protocol'
import { watchDeletions, type Space, type SpaceStatus } from '@t69/sync-client'
import { SvelteSet } from 'svelte/reactivity'

import { noteEarlierAuthor, type Author } from '../model/authorship.ts'
import { addMessage, layOutChat, titleFrom, type NewMessage } from '../model/chat-tree.ts'
import {
  deleteItem,
  massDeletionsAfter,
  restoreItems,
  type DeletedItems,
  type MassDeletion,
} from '../model/deletions.ts'
import { addItem, itemOfTree, renameItem, shownItems, titleOf, untitled } from '../model/space-tree.ts'
import { edit, textOf, type Tree } from '../model/tree.ts'
import {
  readColorScheme,
  readSavedView,
  saveColorScheme,
  saveView,
  type ColorScheme,
} from './device-storage.ts'

/** A chat that is open, with its tree. */
export interface OpenChat {
  readonly treeId: string
  readonly tree: Tree
}

/** The space on screen: its sync status, who is here, which chat is open. */
export class SpaceView {
  readonly space: Space
  /** The space's own tree. */
  tree: Tree
  status = $state.raw<SpaceStatus>({
    phase: 'local',
    pending: 0,
    rejected: 0,
    cursor: 0,
    head: 0,
    error: null,
    unstored: null,
  })
  name = $state('')
  role = $state.raw<RoleName | null>(null)
  /** What the user may do in the space: the screens ask nothing else. */
  rights: Rights
  present = $state.raw<readonly Presence[]>([])
  /** The chat on screen. Its tree may still be on its way from the disk. */
  chatId = $state<string | null>(null)
  /** The same with its tree, once it is here. */
  chat = $state.raw<OpenChat | null>(null)
  selectedId = $state<string | null>(null)
  /** What took much of the space out of view while it was open, until somebody closes the notice. */
  massDeletions = $state.raw<readonly MassDeletion[]>([])
  colorScheme = $state<ColorScheme>('system')
  readonly openFolders = new SvelteSet<string>()
  /** What deleting the space would delete; null where the role does not allow it. */
  readonly deletes = $derived.by<'everywhere' | 'here' | null>(() => {
    // Local, or one that the user is not a member of any more: only this device's copy goes.
    if (this.role === null) return 'here'
    return this.rights.delete ? 'everywhere' : null
  })
  #opened: Promise<void> = Promise.resolve()
  #stops: (() => void)[] = []
  #stopDeletions = (): void => {}
  /**
   * What was on screen before this page had caught up. A history that arrives for the first time deletes
   * much that nobody here ever saw, and that is no news. Null once it is over.
   */
  #shownBefore: ReadonlySet<string> | null

  constructor(space: Space) {
    this.space = space
    this.tree = $state.raw(space.root)
    this.rights = $state.raw(space.rights)
    this.#shownBefore = space.status.phase === 'local' ? null : shownItems(space.root)
    this.refresh()
    this.present = space.presence
    this.#watchDeletions()
    this.#stops.push(
      () => this.#stopDeletions(),
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
    this.role = this.space.role
    this.rights = this.space.rights
    if (this.status.phase !== 'live' || this.#shownBefore === null) return
    // What came last is not told yet.
    this.tree.flushEvents()
    this.#shownBefore = null
  }

  /** Makes the space a synced one, for `user`, who wrote what is in it by then. */
  async enableSync(user: User): Promise<void> {
    await this.space.enableSync()
    noteEarlierAuthor(this.tree, { id: user.id, name: user.name, until: Date.now() })
  }

  /** Goes to `treeId`, or to where this device left the space. */
  async restore(treeId: string | null): Promise<void> {
    const view = await readSavedView(this.space.id)
    for (const id of view.openFolders) this.openFolders.add(id)
    this.colorScheme = await readColorScheme(this.space.id)
    const last = view.chat !== null && itemOfTree(this.tree, view.chat) !== undefined ? view.chat : null
    await this.openChat(treeId ?? last)
  }

  /**
   * Goes to a chat, or to none, at once: what is written from now on is written there. Resolves when its
   * messages are here.
   */
  async openChat(treeId: string | null): Promise<void> {
    if (this.chatId !== treeId) {
      this.#show(treeId, null)
      this.#opened = treeId === null ? Promise.resolve() : this.#load(treeId)
    }
    await this.#opened
  }

  /** Makes a chat and shows it. */
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

  /** Adds to the open chat, or to a new one. A chat without a title takes it from its first message. */
  async write(message: NewMessage): Promise<{ treeId: string; messageId: string }> {
    const treeId = this.chatId ?? (await this.newChat(null)).treeId
    // Opened for the message itself: the chat may be on its way still, and gone from the screen before it comes.
    const tree = await this.space.openTree(treeId)
    const messageId = addMessage(tree, message)
    const item = itemOfTree(this.tree, treeId)
    if (item && titleOf(item) === untitled && message.text.trim() !== '')
      await this.renameChat(treeId, titleFrom(message.text))
    await this.space.closeTree(treeId)
    return { treeId, messageId }
  }

  /** The title is kept twice, as in t69: in the sidebar's vertex and in the chat's own tree. */
  async renameChat(treeId: string, title: string): Promise<void> {
    const item = itemOfTree(this.tree, treeId)
    if (item) renameItem(this.tree, item.id, title)
    await this.#renameTree(treeId, title)
  }

  async rename(itemId: string, title: string): Promise<void> {
    const item = this.tree.getVertex(itemId)
    if (item === undefined || titleOf(item) === title) return
    renameItem(this.tree, itemId, title)
    const treeId = textOf(item, 'tid')
    if (treeId !== undefined) await this.#renameTree(treeId, title)
  }

  /** Takes an item out of the sidebar, for `by`. Returns what brings it back. */
  delete(itemId: string, by: Author | null): () => void {
    // Where the server refuses edits for want of room, it still takes deletions: nothing may come with them.
    const mark = this.status.rejected === 0 ? { by, at: Date.now() } : null
    const deleted = deleteItem(this.tree, itemId, mark)
    if (this.chatId !== null && itemOfTree(this.tree, this.chatId) === undefined) void this.openChat(null)
    if (this.selectedId === itemId) this.selectedId = null
    return () => restoreItems(this.tree, deleted)
  }

  /** Puts back what was deleted, as far as it is deleted still. */
  restoreItems(deletion: DeletedItems): void {
    restoreItems(this.tree, deletion)
  }

  dismiss(deletion: MassDeletion): void {
    this.massDeletions = this.massDeletions.filter((other) => other !== deletion)
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
    edit(tree, () => tree.root?.setProperty('title', title))
    await this.space.closeTree(treeId)
  }

  /** Edits were discarded: another tree has taken the place of what is on screen. */
  async #replaced(treeId: string): Promise<void> {
    if (treeId === this.space.id) {
      this.tree = this.space.root
      this.#watchDeletions()
    }
    if (this.chat?.treeId !== treeId) return
    const tree = await this.space.openTree(treeId)
    if (this.chat?.treeId === treeId) this.chat = { treeId, tree }
    // It is still open for the chat.
    await this.space.closeTree(treeId)
  }

  #watchDeletions(): void {
    this.#stopDeletions()
    this.#stopDeletions = watchDeletions(this.tree, (fresh) => {
      const before = this.#shownBefore
      const counts = before === null ? undefined : (id: string) => before.has(id)
      this.massDeletions = massDeletionsAfter(this.tree, this.massDeletions, fresh, counts)
    })
  }

  async #load(treeId: string): Promise<void> {
    try {
      const tree = await this.space.openTree(treeId)
      // Meanwhile somebody went elsewhere, or came back and it was here before.
      if (this.chatId !== treeId || this.chat !== null) await this.space.closeTree(treeId)
      else this.chat = { treeId, tree }
    } catch (error) {
      if (this.chatId === treeId && this.chat === null) this.#show(null, null)
      throw error
    }
  }

  /** The chat on screen from now on. The one before is let go of. */
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
