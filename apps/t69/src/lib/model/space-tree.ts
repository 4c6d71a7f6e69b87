import { byId, childNamed, childrenNamed, edit, createdTimeOf, nameOf, rootOf, textOf } from './tree.ts'
import { unwatched, type Tree, type Vertex, type Visit } from './tree.ts'

/**
 * What t69 stores in a space's own tree. Under the root: `app-configs` (assistants), `app-forest` (the
 * chats), `providers` and `settings`. A chat there is a vertex with `tid`, the id of the chat's own tree;
 * a vertex without one is a folder. Both carry a `title`.
 */

export const untitled = 'New chat'
export const forestName = 'app-forest'

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

/** The rows of the sidebar: folders first, the oldest first, then chats, the newest first. */
export function forestRows(
  tree: Tree,
  isOpen: (id: string) => boolean,
  visit: Visit = unwatched,
): ForestRow[] {
  const rows: ForestRow[] = []
  const waiting: ForestRow[] = rowsUnder(forests(tree, visit), null, 1, isOpen, visit).toReversed()
  for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
    rows.push(row)
    if (!row.open) continue
    const vertex = tree.getVertex(row.id)
    const next = vertex === undefined ? [] : rowsUnder([vertex], row.id, row.level + 1, isOpen, visit)
    for (const below of next.toReversed()) waiting.push(below)
  }
  return rows
}

function rowsUnder(
  parents: readonly Vertex[],
  parentId: string | null,
  level: number,
  isOpen: (id: string) => boolean,
  visit: Visit,
): ForestRow[] {
  const children = parents.flatMap((parent) => {
    visit(parent.id)
    return parent.children
  })
  return children
    .map((vertex) => ({ vertex, treeId: treeIdOf(vertex), madeAt: createdTimeOf(vertex) }))
    .toSorted((a, b) => {
      if ((a.treeId === null) !== (b.treeId === null)) return a.treeId === null ? -1 : 1
      const newestFirst = a.treeId === null ? a.madeAt - b.madeAt : b.madeAt - a.madeAt
      return newestFirst === 0 ? byId(a.vertex, b.vertex) : newestFirst
    })
    .map(({ vertex, treeId }, index) => ({
      id: vertex.id,
      parentId,
      level,
      kind: treeId === null ? 'folder' : 'chat',
      treeId,
      open: treeId === null && isOpen(vertex.id),
      position: index + 1,
      siblings: children.length,
    }))
}

function forests(tree: Tree, visit: Visit = unwatched): Vertex[] {
  if (tree.root === undefined) return []
  visit(tree.root.id)
  return childrenNamed(tree.root, forestName)
}

function forest(tree: Tree): Vertex {
  return childNamed(rootOf(tree), forestName)
}

/** The id of the forest for items whose own is gone; created when there is none. */
export function forestHome(tree: Tree): string {
  return forest(tree).id
}

/** The ids of all chats and folders of the sidebar, including those in closed folders. */
export function shownItems(tree: Tree): Set<string> {
  const ids = new Set<string>()
  const waiting = forests(tree).map(({ id }) => id)
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const child of tree.getChildrenIds(id)) {
      ids.add(child)
      waiting.push(child)
    }
  }
  return ids
}

/** The id of the tree that a chat's vertex stands for; null for a folder. */
export function treeIdOf(vertex: Vertex): string | null {
  return textOf(vertex, 'tid') ?? null
}

export function titleOf(vertex: Vertex): string {
  const title = textOf(vertex, 'title') ?? nameOf(vertex)
  return title === undefined || title === '' ? (treeIdOf(vertex) === null ? 'Folder' : untitled) : title
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
    const parent = folder && isShown(tree, folder.id) ? folder : forest(tree)
    return parent.newChild(treeId === undefined ? { title } : { tid: treeId, title }).id
  })
}

export function renameItem(tree: Tree, id: string, title: string): void {
  edit(tree, () => tree.getVertex(id)?.setProperty('title', title.toWellFormed()))
}

/** Whether the vertex is in the sidebar: neither deleted nor inside something deleted. */
export function isShown(tree: Tree, id: string): boolean {
  return forests(tree).some((top) => top.id === id || tree.isAncestor(id, top.id))
}

/** The folder that an item is in; null at the top. */
export function folderOf(tree: Tree, id: string): string | null {
  const parentId = tree.getVertex(id)?.parentId ?? null
  return forests(tree).some((top) => top.id === parentId) ? null : parentId
}

/** Whether an item can move: not into itself, its contents or a chat, nor to where it is. `folderId` null is the top. */
export function canMove(tree: Tree, id: string, folderId: string | null): boolean {
  const item = tree.getVertex(id)
  if (item === undefined) return false
  if (folderId === null) return !forests(tree).some((top) => top.id === item.parentId)
  const folder = tree.getVertex(folderId)
  if (folder === undefined || treeIdOf(folder) !== null || item.parentId === folderId) return false
  return folderId !== id && !tree.isAncestor(folderId, id) && isShown(tree, folderId)
}

export function moveItem(tree: Tree, id: string, folderId: string | null): boolean {
  if (!canMove(tree, id, folderId)) return false
  edit(tree, () => tree.moveVertex(id, folderId ?? forest(tree).id))
  return true
}

/** The vertex that stands for a chat in the sidebar; undefined once it is deleted. */
export function itemOfTree(tree: Tree, treeId: string, visit: Visit = unwatched): Vertex | undefined {
  const waiting = forests(tree, visit)
  for (let vertex = waiting.pop(); vertex !== undefined; vertex = waiting.pop()) {
    visit(vertex.id)
    for (const child of vertex.children) {
      if (treeIdOf(child) === treeId) return child
      waiting.push(child)
    }
  }
  return undefined
}

/** Restores a deleted chat, at the top of the sidebar. */
export function restoreChat(tree: Tree, treeId: string, title: string): void {
  const item = tree.getAllVertices().find((vertex) => treeIdOf(vertex) === treeId)
  if (item === undefined) addItem(tree, { title, treeId })
  else edit(tree, () => tree.moveVertex(item.id, forest(tree).id))
}

/** Whether nothing has been added to the space: no chat, no folder, no provider. */
export function isBlank(tree: Tree): boolean {
  if (tree.root === undefined) return true
  const providers = childrenNamed(tree.root, 'providers')
  return [...forests(tree), ...providers].every((vertex) => vertex.childrenIds.length === 0)
}
