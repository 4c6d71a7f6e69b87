import { SvelteSet } from 'svelte/reactivity'

import { plural } from '../../model/plural.ts'
import { sidebarLines } from '../../model/sidebar-lines.ts'
import {
  canMove,
  folderOf,
  forestRows,
  isShown,
  titleOf,
  treeIdOf,
  type ForestRow,
} from '../../model/space-tree.ts'
import { addressOf, appBase } from '../../state/address.ts'
import type { AppState } from '../../state/app-state.svelte.ts'
import type { SpaceView } from '../../state/space-view.svelte.ts'
import { today } from '../../state/today.ts'
import { createTreeReader } from '../../state/tree-signals.ts'
import type { DropPlace } from './drag-items.ts'

/** The sidebar's tree of chats and folders: its rows, and what the user is doing with them. */
export class TreeState {
  readonly view: SpaceView
  /** The item whose title is being edited. */
  renaming = $state<string | null>(null)
  /** The items that are chosen, to be moved or deleted together. Choosing begins with the first, and ends with none. */
  readonly #chosen = new SvelteSet<string>()
  /** Those of them that are still in the sidebar. */
  readonly chosen = $derived.by<ReadonlySet<string>>(() => {
    if (this.#chosen.size === 0) return this.#chosen
    void this.rows
    return new Set(Array.from(this.#chosen).filter((id) => isShown(this.view.tree, id)))
  })
  /** The items that were cut, and that a paste moves. */
  cut = $state.raw<readonly string[]>([])
  /** Where the item that is being dragged would go. */
  drop = $state.raw<DropPlace | null>(null)
  /** The item whose menu the keyboard asked for; the row that opens it takes the request away. */
  menuFor = $state<string | null>(null)
  readonly #app: AppState
  readonly #readRows = $derived.by(() => {
    const { tree, space, items } = this.view
    const { openFolders } = items
    return createTreeReader(tree, space.id, (visit) => forestRows(tree, (id) => openFolders.has(id), visit))
  })
  readonly rows = $derived(this.#readRows())
  /** The rows with the headings of their groups. */
  readonly lines = $derived(sidebarLines(this.rows, today()))
  /** The row that the keyboard acts on: the selected one, else the open chat's, else the first. */
  readonly activeId = $derived.by(() => {
    if (this.view.items.selectedId !== null) return this.view.items.selectedId
    const row = this.rows.find((each) => this.isOpenChat(each)) ?? this.rows[0]
    return row?.id ?? null
  })

  constructor(app: AppState, view: SpaceView) {
    this.#app = app
    this.view = view
  }

  /** The id of the user who is signed in. */
  get me(): string | null {
    return this.#app.user?.id ?? null
  }

  get canEdit(): boolean {
    return this.view.rights.edit
  }

  isOpenChat(row: ForestRow): boolean {
    return row.treeId !== null && row.treeId === this.view.chats.focused?.treeId
  }

  /** The address of a row's chat; undefined for a folder. */
  addressOf({ treeId }: ForestRow): string | undefined {
    const { space, isOnServer } = this.view
    return treeId === null ? undefined : addressOf(isOnServer ? space.id : null, treeId, appBase().pathname)
  }

  /** Opens the chat, or opens or closes the folder. */
  activate(row: ForestRow): void {
    this.view.items.selectedId = row.id
    if (row.treeId === null) this.toggle(row)
    else void this.#app.ui.attempt(() => this.#app.openChat(row.treeId))
  }

  /** Opens the chat in a tab that is kept, behind the one on screen. */
  openBehind({ treeId }: ForestRow): void {
    if (treeId === null) return
    this.view.chats.panes.openBehind(treeId, this.view.items.titleOfChat(treeId))
    this.#app.chatChanged()
  }

  /** Opens the chat in a pane of its own. */
  openBeside({ treeId }: ForestRow): void {
    if (treeId === null) return
    const { chats, items } = this.view
    this.#app.arrange(() => chats.panes.openBeside(treeId, items.titleOfChat(treeId)))
  }

  toggle(row: ForestRow): void {
    this.view.items.openFolder(row.id, !row.open)
  }

  newChat(folderId = this.#selectedFolder()): void {
    void this.#app.ui.attempt(() => this.#app.newChat(folderId))
  }

  /** Returns the id of the new folder. */
  newFolder(): string {
    return this.view.items.newFolder(this.#selectedFolder())
  }

  pin(row: ForestRow): void {
    if (this.canEdit) this.view.items.pin(row.id, !row.pinned)
  }

  startRename(itemId: string): void {
    if (this.canEdit) this.renaming = itemId
  }

  /** Ends the editing of a title. `title` null keeps the one before. */
  async finishRename(itemId: string, title: string | null): Promise<void> {
    // Removing the input takes its focus away, which would end the editing a second time.
    if (this.renaming !== itemId) return
    // What somebody typed stays to be copied when they may not rename it any more.
    if (title !== null && (!this.canEdit || this.view.isGone)) return
    this.renaming = null
    const wanted = title?.trim() ?? ''
    if (wanted !== '') await this.#app.ui.attempt(() => this.view.items.rename(itemId, wanted))
  }

  get isChoosing(): boolean {
    return this.chosen.size > 0
  }

  /** Chooses a row, or takes it out of those that are chosen. */
  choose(row: ForestRow): void {
    if (!this.canEdit) return
    if (this.#chosen.has(row.id)) this.#chosen.delete(row.id)
    else this.#chosen.add(row.id)
  }

  /** Chooses all rows from the one that the keyboard acts on to this one. */
  chooseTo(row: ForestRow): void {
    if (!this.canEdit) return
    const [from, to] = [this.rows.findIndex(({ id }) => id === this.activeId), this.rows.indexOf(row)]
    for (const each of this.rows.slice(Math.max(0, Math.min(from, to)), Math.max(from, to) + 1))
      this.#chosen.add(each.id)
  }

  chooseAll(): void {
    if (this.canEdit) for (const { id } of this.rows) this.#chosen.add(id)
  }

  chooseNone(): void {
    this.#chosen.clear()
  }

  /** What an action on an item is about: all that are chosen if it is one of them. What is in a chosen folder goes with it. */
  with(itemId: string): string[] {
    if (!this.chosen.has(itemId)) return [itemId]
    return this.#outermost()
  }

  #outermost(): string[] {
    const { tree } = this.view
    const ids = Array.from(this.chosen)
    return ids.filter((id) => !ids.some((other) => other !== id && tree.isAncestor(id, other)))
  }

  moveChosen(): void {
    this.#askWhereToMove(this.#outermost())
  }

  removeChosen(): void {
    this.#remove(this.#outermost())
  }

  askWhereToMove(itemId: string): void {
    this.#askWhereToMove(this.with(itemId))
  }

  #askWhereToMove(itemIds: readonly string[]): void {
    this.#app.ui.openDialog({ kind: 'move', itemIds, done: () => this.chooseNone() })
  }

  /** Where dropping an item on a row would put it: into a folder, beside a chat, or at the top for no row. */
  dropPlace(itemId: string, rowId: string | null): DropPlace | null {
    const row = this.rows.find(({ id }) => id === rowId)
    const folderId = row === undefined ? null : folderAt(row)
    return canMove(this.view.tree, itemId, folderId) ? { itemId, folderId } : null
  }

  move({ itemId, folderId }: DropPlace): void {
    this.#move(this.with(itemId), folderId)
  }

  #move(itemIds: readonly string[], folderId: string | null): void {
    const action = this.view.items.move(itemIds, folderId)
    if (action === null) return
    if (folderId !== null) this.view.items.openFolder(folderId, true)
    this.#app.undoing.showMoved(itemIds, action)
    this.chooseNone()
  }

  /** Moves the items that were cut into the folder, or beside the chat, of a row. */
  paste(row: ForestRow): void {
    if (this.cut.length > 0) this.#move(this.cut, folderAt(row))
    this.cut = []
  }

  remove(itemId: string): void {
    this.#remove(this.with(itemId))
  }

  #remove(itemIds: readonly string[]): void {
    const { view } = this
    const { ui, user } = this.#app
    const [first] = itemIds.flatMap((id) => view.tree.getVertex(id) ?? [])
    if (first === undefined) return
    const text =
      itemIds.length === 1
        ? `“${titleOf(first)}” was deleted.`
        : plural(itemIds.length, ['# item was deleted.', '# items were deleted.'])
    const { length } = view.massDeletions.noticed
    const action = view.items.delete(itemIds, user)
    view.chats.leaveDeleted()
    this.chooseNone()
    this.#app.chatChanged()
    // A mass deletion has a notice of its own.
    if (view.massDeletions.noticed.length > length) ui.hideNotice()
    else ui.show({ kind: 'info', text, undo: () => this.#app.undoing.undo(action) })
  }

  /** Where new items go: the selected folder, or the one that the selected chat is in; null for the top. */
  #selectedFolder(): string | null {
    const { tree } = this.view
    const { selectedId } = this.view.items
    const selected = selectedId === null ? undefined : tree.getVertex(selectedId)
    if (selected === undefined) return null
    return treeIdOf(selected) === null ? selected.id : folderOf(tree, selected.id)
  }
}

function folderAt(row: ForestRow): string | null {
  return row.kind === 'folder' ? row.id : row.parentId
}
