import type { Space } from '@t69/sync-client'
import { SvelteSet } from 'svelte/reactivity'

import { pinItem } from '../model/activity.ts'
import type { Author } from '../model/authorship.ts'
import type { Clash } from '../model/clashes.ts'
import {
  deletedItemsOf,
  deleteItem,
  restoreItems,
  type DeletedItems,
  type Deleter,
} from '../model/deletions.ts'
import { plural } from '../model/plural.ts'
import {
  addItem,
  chatTitle,
  folderOf,
  isForest,
  itemOfTree,
  moveItem,
  renameItem,
  restoreChat,
  titleOf,
} from '../model/space-tree.ts'
import { tracesOf } from '../model/traces.ts'
import { textOf, type Tree } from '../model/tree.ts'
import type { Authors } from './authors.ts'
import type { Action, History } from './history.ts'

interface Deps {
  readonly space: Space
  readonly root: () => Tree
  readonly history: History
  readonly authors: Authors
  /** The server takes more than deletions. */
  readonly canMark: () => boolean
  /** A folder was opened or closed. */
  readonly foldersChanged: () => void
}

/** The chats and folders of a space's sidebar, and what the user does with them. */
export class Items {
  /** The one that has the keyboard. */
  selectedId = $state<string | null>(null)
  readonly openFolders = new SvelteSet<string>()
  readonly #deps: Deps

  constructor(deps: Deps) {
    this.#deps = deps
  }

  openFolder(id: string, open: boolean): void {
    if (open) this.openFolders.add(id)
    else this.openFolders.delete(id)
    this.#deps.foldersChanged()
  }

  /** The title of an item, deleted or not. */
  titleOf(itemId: string): string {
    const item = this.#deps.root().getVertex(itemId)
    return item === undefined ? '' : titleOf(item)
  }

  /** The title that a chat has in the sidebar; that of a new chat where it is not there. */
  titleOfChat(treeId: string): string {
    const item = itemOfTree(this.#deps.root(), treeId)
    return item === undefined ? chatTitle(undefined) : titleOf(item)
  }

  /** Puts a chat there. Returns the id of its item. `folderId` null is the top. */
  addChat(treeId: string, at: { readonly title: string; readonly folderId: string | null }): string {
    const itemId = addItem(this.#deps.root(), { ...at, treeId })
    if (at.folderId !== null) this.openFolder(at.folderId, true)
    return itemId
  }

  /** Opens the folders that an item is in. */
  reveal(itemId: string): void {
    const root = this.#deps.root()
    for (let id = folderOf(root, itemId); id !== null; id = folderOf(root, id)) this.openFolder(id, true)
  }

  newFolder(parentId: string | null): string {
    const { history, root } = this.#deps
    const { result: id } = history.act(root(), 'New folder', [], () =>
      addItem(root(), { title: 'New folder', folderId: parentId }),
    )
    if (parentId !== null) this.openFolder(parentId, true)
    this.selectedId = id
    return id
  }

  /** The title of a chat is stored twice, as t69 always did: in the sidebar's vertex and in the chat's own tree. */
  async rename(itemId: string, title: string): Promise<void> {
    const { history, root } = this.#deps
    const item = root().getVertex(itemId)
    if (item === undefined || titleOf(item) === title) return
    const { action } = history.act(root(), `Rename “${titleOf(item)}”`, [itemId], () =>
      this.setTitle(itemId, title),
    )
    const treeId = textOf(item, 'tid')
    if (treeId !== undefined) await history.hold(this.renameTree(treeId, title, action))
  }

  /** The title in the sidebar alone, as nothing that could be undone. */
  setTitle(itemId: string, title: string): void {
    renameItem(this.#deps.root(), itemId, title)
  }

  /** The title in the chat's own tree alone. */
  async renameTree(treeId: string, title: string, action?: Action): Promise<void> {
    const { space, history } = this.#deps
    const tree = await space.openTree(treeId)
    const { root } = tree
    if (root !== undefined) {
      const name = (): void => root.setProperty('title', title.toWellFormed())
      history.act(tree, 'Rename', [root.id], name, action)
    }
    await space.closeTree(treeId)
  }

  /** Moves items into a folder, null for the top, as one action. Returns it; null if none of them can be there. */
  move(itemIds: readonly string[], folderId: string | null): Action | null {
    const { history, root } = this.#deps
    const what =
      itemIds.length === 1
        ? `Move “${this.titleOf(itemIds[0] ?? '')}”`
        : plural(itemIds.length, ['Move # item', 'Move # items'])
    const { result: moved, action } = history.act(root(), what, itemIds, () =>
      itemIds.filter((id) => moveItem(root(), id, folderId)),
    )
    return moved.length === 0 ? null : action
  }

  pin(itemId: string, pinned: boolean): void {
    const { history, root } = this.#deps
    const title = this.titleOf(itemId)
    const what = pinned ? `Pin “${title}”` : `Unpin “${title}”`
    history.act(root(), what, [itemId], () => pinItem(root(), itemId, pinned))
  }

  /** Deletes items as one action, on behalf of `by`. Returns what it did, to undo it. */
  delete(itemIds: readonly string[], by: Author | null): Action {
    const { history, root, canMark } = this.#deps
    const mark = canMark() ? { by, at: Date.now() } : null
    const what =
      itemIds.length === 1
        ? `Delete “${this.titleOf(itemIds[0] ?? '')}”`
        : plural(itemIds.length, ['Delete # item', 'Delete # items'])
    const { action } = history.act(root(), what, itemIds, () => {
      for (const id of itemIds) deleteItem(root(), id, mark)
    })
    if (this.selectedId !== null && itemIds.includes(this.selectedId)) this.selectedId = null
    return action
  }

  /** The deleted items, each group with who deleted it. */
  deleted(): DeletedItems[] {
    const { authors, root } = this.#deps
    authors.watch()
    return deletedItemsOf(root(), authors.vouch)
  }

  /** Restores those of the items that are still deleted. */
  restore(deletion: Pick<DeletedItems, 'id' | 'roots'>): void {
    const { history, root } = this.#deps
    const ids = deletion.roots.map(({ id }) => id)
    history.act(root(), `Restore “${this.titleOf(deletion.id)}”`, ids, () => restoreItems(root(), deletion))
  }

  /** Puts a chat back, at the top. */
  restoreChat(treeId: string, title: string): void {
    const { history, root } = this.#deps
    const ids = Array.from(tracesOf(root()).chats.get(treeId) ?? [])
    history.act(root(), `Restore “${title}”`, ids, () => restoreChat(root(), treeId, title))
  }

  /** The account that made an operation, by the server's word; null while that is not known. */
  whoMade(op: Clash['op']): Deleter {
    const { authors } = this.#deps
    authors.watch()
    return authors.vouch(op)
  }

  /** Of two edits that undid each other, takes the one that is not there now. */
  async takeOther({ kind, itemId, isMineKept, mine, theirs }: Clash): Promise<void> {
    const wanted = isMineKept ? theirs : mine
    if (kind === 'title') await this.rename(itemId, wanted)
    else if (kind === 'place') this.move([itemId], isForest(this.#deps.root(), wanted) ? null : wanted)
    else {
      const deletion = this.deleted().find(({ roots }) => roots.some(({ id }) => id === itemId))
      const roots = deletion?.roots.filter(({ id }) => id === itemId) ?? []
      this.restore({ id: itemId, roots })
    }
  }
}
