import {
  canMove,
  folderOf,
  forestRows,
  moveItem,
  titleOf,
  treeIdOf,
  type ForestRow,
} from '../../model/space-tree.ts'
import type { AppState } from '../../state/app-state.svelte.ts'
import type { SpaceView } from '../../state/space-view.svelte.ts'
import { createTreeReader } from '../../state/tree-signals.ts'
import type { DropPlace } from './drag-items.ts'

/** The sidebar's tree of chats and folders: its rows, and what the user is doing with them. */
export class TreeState {
  readonly view: SpaceView
  /** The item whose title is being edited. */
  renaming = $state<string | null>(null)
  /** The item that was cut, and that a paste moves. */
  cut = $state<string | null>(null)
  /** Where the item that is being dragged would go. */
  drop = $state.raw<DropPlace | null>(null)
  /** The item whose menu the keyboard asked for; the row that opens it takes the request away. */
  menuFor = $state<string | null>(null)
  readonly #app: AppState
  readonly #readRows = $derived.by(() => {
    const { tree, space, openFolders } = this.view
    return createTreeReader(tree, space.id, (visit) => forestRows(tree, (id) => openFolders.has(id), visit))
  })
  readonly rows = $derived(this.#readRows())
  /** The row that the keyboard acts on: the selected one, else the open chat's, else the first. */
  readonly activeId = $derived.by(() => {
    if (this.view.selectedId !== null) return this.view.selectedId
    const row = this.rows.find((each) => this.isOpenChat(each)) ?? this.rows[0]
    return row?.id ?? null
  })

  constructor(app: AppState, view: SpaceView) {
    this.#app = app
    this.view = view
  }

  get canEdit(): boolean {
    return this.view.rights.edit
  }

  isOpenChat(row: ForestRow): boolean {
    return row.treeId !== null && row.treeId === this.view.chatId
  }

  /** Opens the chat, or opens or closes the folder. */
  activate(row: ForestRow): void {
    this.view.selectedId = row.id
    if (row.treeId === null) this.toggle(row)
    else void this.#app.ui.attempt(() => this.#app.openChat(row.treeId))
  }

  toggle(row: ForestRow): void {
    this.view.openFolder(row.id, !row.open)
  }

  newChat(folderId = this.#selectedFolder()): void {
    void this.#app.ui.attempt(() => this.#app.newChat(folderId))
  }

  /** Returns the id of the new folder. */
  newFolder(): string {
    return this.view.newFolder(this.#selectedFolder())
  }

  startRename(itemId: string): void {
    if (this.canEdit) this.renaming = itemId
  }

  /** Ends the editing of a title. `title` null keeps the one before. */
  async finishRename(itemId: string, title: string | null): Promise<void> {
    // Removing the input takes its focus away, which would end the editing a second time.
    if (this.renaming !== itemId) return
    this.renaming = null
    const wanted = title?.trim() ?? ''
    if (wanted !== '') await this.#app.ui.attempt(() => this.view.renameItem(itemId, wanted))
  }

  askWhereToMove(itemId: string): void {
    this.#app.ui.openDialog({ kind: 'move', itemId })
  }

  /** Where dropping an item on a row would put it: into a folder, beside a chat, or at the top for no row. */
  dropPlace(itemId: string, rowId: string | null): DropPlace | null {
    const row = this.rows.find(({ id }) => id === rowId)
    const folderId = row === undefined ? null : folderAt(row)
    return canMove(this.view.tree, itemId, folderId) ? { itemId, folderId } : null
  }

  move({ itemId, folderId }: DropPlace): void {
    if (moveItem(this.view.tree, itemId, folderId) && folderId !== null) this.view.openFolder(folderId, true)
  }

  /** Moves the item that was cut into the folder, or beside the chat, of a row. */
  paste(row: ForestRow): void {
    if (this.cut !== null) this.move({ itemId: this.cut, folderId: folderAt(row) })
    this.cut = null
  }

  remove(itemId: string): void {
    const { view } = this
    const { ui, author } = this.#app
    const vertex = view.tree.getVertex(itemId)
    if (vertex === undefined) return
    const title = titleOf(vertex)
    const { length } = view.massDeletions.noticed
    const restore = view.deleteItem(itemId, author)
    this.#app.chatChanged()
    // A mass deletion has a notice of its own.
    if (view.massDeletions.noticed.length > length) ui.hideNotice()
    else ui.show({ kind: 'info', text: `“${title}” was deleted.`, undo: restore })
  }

  /** Where new items go: the selected folder, or the one that the selected chat is in; null for the top. */
  #selectedFolder(): string | null {
    const { tree, selectedId } = this.view
    const selected = selectedId === null ? undefined : tree.getVertex(selectedId)
    if (selected === undefined) return null
    return treeIdOf(selected) === null ? selected.id : folderOf(tree, selected.id)
  }
}

function folderAt(row: ForestRow): string | null {
  return row.kind === 'folder' ? row.id : row.parentId
}
