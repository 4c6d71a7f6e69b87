import { activeTimeOf, isPinned } from './activity.ts'
import { shownLine } from './shown-text.ts'
import { isInView, partsNamed, tracesOf } from './traces.ts'
import { byId, childNamed, edit, createdTimeOf, nameOf, rootOf, textOf } from './tree.ts'
import { unwatched, type Tree, type Vertex, type Visit } from './tree.ts'

/**
 * What t69 stores in a space's own tree. Under the root: `app-configs` (assistants), `app-forest` (the
 * chats), `providers` and `settings`. A chat there is a vertex with `tid`, the id of the chat's own tree;
 * a vertex without one is a folder. Both carry a `title`.
 *
 * A forest is found by the name that it once had, wherever it is, and a chat by the `tid` that it has, also outside all
 * forests: whoever renames, moves or duplicates any of them hides no chat. `deletions.ts` lists those that are deleted.
 */

/** The title of a chat that has none yet, as it is stored: other versions of t69 know it by that. */
export const untitled = 'New chat'
const forestName = 'app-forest'

/** One row of the sidebar. */
export interface ForestRow {
  readonly id: string
  /** Null at the top. */
  readonly parentId: string | null
  /** 1 at the top. */
  readonly level: number
  readonly kind: 'chat' | 'folder'
  /** The chat's tree; null for a folder. */
  readonly treeId: string | null
  readonly open: boolean
  /** Position among its siblings, from 1. */
  readonly position: number
  readonly siblings: number
  /** Pinned items are at the top of the sidebar, wherever they are. */
  readonly pinned: boolean
  /** When somebody last wrote in the chat, in Unix ms; for a folder, when it was created. */
  readonly activeAt: number
}

/** Lays out a space that was just created. Not one from the server, whose own layout may be on its way. */
export function layOutSpace(tree: Tree): void {
  edit(tree, () => {
    const root = rootOf(tree)
    root.setProperty('version', '0')
    const configs = childNamed(root, 'app-configs')
    configs.newNamedChild('default', {
      id: 'default',
      title: 'Chat',
      description: 'A basic chat with an AI',
      instructions: '',
    })
    for (const name of [forestName, 'providers', 'settings']) childNamed(root, name)
  })
}

/** The rows of the sidebar: what is pinned, then folders, the oldest first, then chats, by their last activity. */
export function forestRows(
  tree: Tree,
  isOpen: (id: string) => boolean,
  visit: Visit = unwatched,
): ForestRow[] {
  const rows: ForestRow[] = []
  const pinned = pinnedItems(tree, visit)
  const elsewhere = new Set(pinned.map(({ id }) => id))
  const rowsIn = (items: readonly Vertex[], parentId: string | null, level: number): ForestRow[] =>
    rowsOf(
      items.filter(({ id }) => !elsewhere.has(id)),
      { parentId, level, isOpen },
    )
  const top = [
    ...rowsOf(pinned, { parentId: null, level: 1, isOpen }),
    ...rowsIn(topItems(tree, visit), null, 1),
  ]
  const waiting = top
    .map((row, index) => ({ ...row, position: index + 1, siblings: top.length }))
    .toReversed()
  for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
    rows.push(row)
    if (!row.open) continue
    const vertex = tree.getVertex(row.id)
    const next = vertex === undefined ? [] : rowsIn(itemsIn(tree, vertex, visit), row.id, row.level + 1)
    for (const below of next.toReversed()) waiting.push(below)
  }
  return rows
}

/** The rows of all chats, those in closed folders too: first the one in which somebody wrote last. */
export function chatsByActivity(tree: Tree): ForestRow[] {
  return forestRows(tree, () => true)
    .filter(({ treeId }) => treeId !== null)
    .toSorted((a, b) => b.activeAt - a.activeAt)
}

interface Shelf {
  readonly parentId: string | null
  readonly level: number
  readonly isOpen: (id: string) => boolean
}

function rowsOf(items: readonly Vertex[], { parentId, level, isOpen }: Shelf): ForestRow[] {
  return items
    .map((vertex) => {
      const treeId = treeIdOf(vertex)
      return { vertex, treeId, activeAt: treeId === null ? createdTimeOf(vertex) : activeTimeOf(vertex) }
    })
    .toSorted((a, b) => {
      if ((a.treeId === null) !== (b.treeId === null)) return a.treeId === null ? -1 : 1
      const inOrder = a.treeId === null ? a.activeAt - b.activeAt : b.activeAt - a.activeAt
      return inOrder === 0 ? byId(a.vertex, b.vertex) : inOrder
    })
    .map(({ vertex, treeId, activeAt }, index) => ({
      id: vertex.id,
      parentId,
      level,
      kind: treeId === null ? 'folder' : 'chat',
      treeId,
      open: treeId === null && isOpen(vertex.id),
      position: index + 1,
      siblings: items.length,
      pinned: isPinned(vertex),
      activeAt,
    }))
}

/** The items that are pinned, wherever in the sidebar they are. */
function pinnedItems(tree: Tree, visit: Visit): Vertex[] {
  const items: Vertex[] = []
  const showsItems = itemsShownBelow(tree)
  for (const id of tracesOf(tree).pinned) {
    const vertex = tree.getVertex(id)
    if (vertex?.parentId) visit(vertex.parentId)
    if (vertex === undefined || !isPinned(vertex) || !isShown(tree, id, showsItems)) continue
    // A forest that somebody moved into a folder is no row.
    if (treeIdOf(vertex) !== null || !isForest(tree, id)) items.push(vertex)
  }
  return items
}

function forests(tree: Tree): readonly Vertex[] {
  return tree.root === undefined ? [] : partsNamed(tree, forestName)
}

/** Whether a vertex is a forest, or was one. */
export function isForest(tree: Tree, id: string): boolean {
  return tracesOf(tree).named(forestName).has(id)
}

/** The first forest that an item can be in, created when there is none: somebody may have moved a forest into the item. */
function forestFor(tree: Tree, itemId?: string): Vertex {
  const isInside = ({ id }: Vertex): boolean =>
    itemId !== undefined && (id === itemId || tree.isAncestor(id, itemId))
  return forests(tree).find((top) => !isInside(top)) ?? rootOf(tree).newNamedChild(forestName)
}

/** The chats and folders in a forest or a folder. A forest that somebody moved into it is no folder. */
function itemsIn(tree: Tree, parent: Vertex, visit: Visit): Vertex[] {
  visit(parent.id)
  return parent.children.filter((child) => !isForest(tree, child.id) || treeIdOf(child) !== null)
}

/** The chats and folders at the top of the sidebar. */
function topItems(tree: Tree, visit: Visit): Vertex[] {
  if (tree.root === undefined) return []
  visit(tree.root.id)
  return [...forests(tree).flatMap((top) => itemsIn(tree, top, visit)), ...straysOf(tree, visit)]
}

/** The chats that are neither deleted nor in a forest: somebody moved them elsewhere, or into another chat. */
function straysOf(tree: Tree, visit: Visit): Vertex[] {
  const showsItems = itemsShownBelow(tree)
  const strays = new Map<string, Vertex>()
  for (const ids of tracesOf(tree).chats.values()) {
    for (const id of ids) {
      const vertex = tree.getVertex(id)
      if (vertex === undefined || treeIdOf(vertex) === null) continue
      const { parentId } = vertex
      // Also in a closed folder, where somebody else may pin it.
      if (parentId) visit(parentId)
      if (showsItems(parentId) || !isInView(tree, id)) continue
      strays.set(id, vertex)
    }
  }
  return Array.from(strays.values())
}

/**
 * Returns a function that tells whether the sidebar shows what is in a vertex in view: it is a forest, or a folder in one.
 * Linear over all questions.
 */
function itemsShownBelow(tree: Tree): (id: string | null | undefined) => boolean {
  const known = new Map<string, boolean>()
  return (parentId) => {
    const path: string[] = []
    let found: boolean | undefined
    for (let id = parentId; found === undefined;) {
      const vertex = id === null || id === undefined ? undefined : tree.getVertex(id)
      if (vertex === undefined) found = false
      else if (isForest(tree, vertex.id)) found = true
      else if (treeIdOf(vertex) !== null) found = false
      else {
        found = known.get(vertex.id)
        path.push(vertex.id)
        id = vertex.parentId
      }
    }
    for (const id of path) known.set(id, found)
    return found
  }
}

/** Moves an item to the top of the sidebar. */
export function moveToTop(tree: Tree, id: string): void {
  tree.moveVertex(id, forestFor(tree, id).id)
}

/** The ids of all chats and folders of the sidebar, including those in closed folders. */
export function shownItems(tree: Tree): Set<string> {
  const ids = new Set<string>()
  const waiting = topItems(tree, unwatched)
  for (let vertex = waiting.pop(); vertex !== undefined; vertex = waiting.pop()) {
    ids.add(vertex.id)
    if (treeIdOf(vertex) !== null) continue
    for (const child of itemsIn(tree, vertex, unwatched)) waiting.push(child)
  }
  return ids
}

/**
 * The id of the tree that a chat's vertex stands for; null for a folder. The space's own tree, which has the id of its root, is
 * no chat.
 */
export function treeIdOf(vertex: Vertex): string | null {
  const treeId = textOf(vertex, 'tid')
  return treeId === undefined || treeId === vertex.tree.root?.id ? null : treeId
}

/** The title as the screen shows it. */
export function titleOf(vertex: Vertex): string {
  const title = storedTitleOf(vertex)
  if (treeIdOf(vertex) !== null) return chatTitle(title)
  return title === undefined || title === '' ? 'Folder' : shownLine(title)
}

/** A chat's stored title as the screen shows it: in the language of the page where nobody has given it one. */
export function chatTitle(stored: string | undefined): string {
  return isUntitled(stored) ? 'New chat' : shownLine(stored)
}

/** Whether nobody has given a title to the chat of this vertex: it takes one from its first message. */
export function hasNoTitle(vertex: Vertex): boolean {
  return isUntitled(storedTitleOf(vertex))
}

function storedTitleOf(vertex: Vertex): string | undefined {
  return textOf(vertex, 'title') ?? nameOf(vertex)
}

function isUntitled(stored: string | undefined): stored is undefined | '' | typeof untitled {
  return stored === undefined || stored === '' || stored === untitled
}

/** Adds a folder, or a chat whose tree is `treeId`, and returns its id. At the top when the folder is not shown. */
export function addItem(
  tree: Tree,
  item: { title: string; treeId?: string; folderId?: string | null },
): string {
  return edit(tree, () => {
    const folder = item.folderId ? tree.getVertex(item.folderId) : undefined
    const { treeId } = item
    const title = item.title.toWellFormed()
    const parent = folder && isShown(tree, folder.id) ? folder : forestFor(tree)
    return parent.newChild(treeId === undefined ? { title } : { tid: treeId, title }).id
  })
}

export function renameItem(tree: Tree, id: string, title: string): void {
  edit(tree, () => tree.getVertex(id)?.setProperty('title', title.toWellFormed()))
}

/** Whether a chat or a folder is in the sidebar: neither deleted nor inside something deleted. */
export function isShown(tree: Tree, id: string, showsItems = itemsShownBelow(tree)): boolean {
  const vertex = tree.getVertex(id)
  if (vertex === undefined || !isInView(tree, id)) return false
  return treeIdOf(vertex) !== null || showsItems(vertex.parentId)
}

/** The folder that an item is in; null at the top. */
export function folderOf(tree: Tree, id: string): string | null {
  const parentId = tree.getVertex(id)?.parentId ?? null
  if (parentId === null || isForest(tree, parentId)) return null
  return itemsShownBelow(tree)(parentId) ? parentId : null
}

/** Whether an item can move: not into itself, its contents or a chat, nor to where it is. `folderId` null is the top. */
export function canMove(tree: Tree, id: string, folderId: string | null): boolean {
  const item = tree.getVertex(id)
  if (item === undefined) return false
  if (folderId === null) return !isForest(tree, item.parentId ?? '')
  const folder = tree.getVertex(folderId)
  if (folder === undefined || treeIdOf(folder) !== null || item.parentId === folderId) return false
  return folderId !== id && !tree.isAncestor(folderId, id) && isShown(tree, folderId)
}

export function moveItem(tree: Tree, id: string, folderId: string | null): boolean {
  if (!canMove(tree, id, folderId)) return false
  edit(tree, () => (folderId === null ? moveToTop(tree, id) : tree.moveVertex(id, folderId)))
  return true
}

/** The vertex that stands for a chat in the sidebar; undefined once it is deleted. */
export function itemOfTree(tree: Tree, treeId: string, visit: Visit = unwatched): Vertex | undefined {
  for (const top of forests(tree)) visit(top.id)
  for (const id of Array.from(tracesOf(tree).chats.get(treeId) ?? []).toSorted()) {
    const vertex = tree.getVertex(id)
    if (vertex?.parentId) visit(vertex.parentId)
    if (vertex !== undefined && treeIdOf(vertex) === treeId && isInView(tree, id)) return vertex
  }
  return undefined
}

/** Whether a chat has ever been in the sidebar. A new one gets there with its first message, or its title. */
export function wasListed(tree: Tree, treeId: string): boolean {
  return tracesOf(tree).chats.has(treeId)
}

/** Restores a deleted chat, at the top of the sidebar. */
export function restoreChat(tree: Tree, treeId: string, title: string): void {
  const [item] = Array.from(tracesOf(tree).chats.get(treeId) ?? [])
    .toSorted()
    .flatMap((id) => tree.getVertex(id) ?? [])
    .filter((vertex) => treeIdOf(vertex) === treeId)
  if (item === undefined) addItem(tree, { title, treeId })
  else edit(tree, () => moveToTop(tree, item.id))
}

/** Whether nothing has been added to the space: no chat, no folder, no provider. */
export function isBlank(tree: Tree, visit: Visit = unwatched): boolean {
  if (tree.root === undefined) return true
  visit(tree.root.id)
  const holders = [...forests(tree), ...partsNamed(tree, 'providers')]
  for (const { id } of holders) visit(id)
  return holders.every((vertex) => vertex.childrenIds.length === 0)
}
