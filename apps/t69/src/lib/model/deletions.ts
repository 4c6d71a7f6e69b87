import { deletionsOf, restoreDeletion, stillDeleted } from '@t69/sync-client'
import type { DeletedRoot, DeletedVertex } from '@t69/sync-client'

import type { Author, Reader } from './authorship.ts'
import { forestHome, forestName, isShown, shownItems } from './space-tree.ts'
import { edit, isTime, nameOf, type Tree } from './tree.ts'

/**
 * What was deleted from the sidebar, for the list of it and for the notice after a mass deletion. The
 * operations that delete say neither who nor when. So an item is marked with both as it is deleted; what
 * deletes in another way leaves no mark, and is somebody's, at some time.
 */

/** `own`: this very page did, whoever that is. Null: nothing says who. */
export type Deleter = Author | 'own' | null

/** Items that went together. */
export interface DeletedItems {
  /** Of the first that went: tells groups apart. */
  readonly id: string
  readonly roots: readonly DeletedRoot[]
  /** Chats and folders that it keeps out of the sidebar. */
  readonly items: number
  readonly by: Deleter
  /** Unix milliseconds by the clock of who deleted it; null where nothing says so. */
  readonly at: number | null
}

/** One action that took much of a space out of view. */
export interface MassDeletion extends DeletedItems {
  /** Chats and folders in view before. */
  readonly of: number
}

const markKey = 'deleted'

/** What a deleted item carries. Only what deletes through here leaves one. */
interface Mark {
  readonly at: number
  /** Nobody was signed in. */
  readonly by: Author | null
  /** The replica that wrote it. A mark of another than the one that deleted is of an earlier deletion. */
  readonly peer: string
}

/**
 * Takes an item out of the sidebar, with all that is inside it, and notes who did it and when. Without a
 * mark it is noted nowhere. Returns what `restoreItems` takes to undo it.
 */
export function deleteItem(
  tree: Tree,
  itemId: string,
  mark: { readonly by: Author | null; readonly at: number } | null,
): { readonly roots: readonly DeletedVertex[] } {
  return edit(tree, () => {
    if (mark !== null) {
      const { by, at } = mark
      const author = by === null ? {} : { by: { id: by.id, name: by.name } }
      tree.setVertexProperty(itemId, markKey, { at, peer: tree.peerId, ...author })
    }
    tree.deleteVertex(itemId)
    return { roots: tree.getDeletedVertices().filter(({ id }) => id === itemId) }
  })
}

function markOf(tree: Tree, root: DeletedRoot): Mark | undefined {
  const value = tree.getVertexProperty(root.id, markKey)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { at, peer, by } = value
  if (typeof at !== 'number' || !isTime(at) || peer !== root.deletedBy.peerId) return undefined
  if (typeof by !== 'object' || by === null || Array.isArray(by)) return { at, peer, by: null }
  const { id, name } = by
  return { at, peer, by: typeof id === 'string' && typeof name === 'string' ? { id, name } : null }
}

/** Nobody pauses so long in the middle of clearing up. */
const longestPauseMs = 60_000

/** What is deleted from the sidebar, in the groups in which it went, the newest first. */
export function deletedItemsOf(tree: Tree): DeletedItems[] {
  const isItem = itemTest(tree)
  const isApart = (earlier: DeletedRoot, later: DeletedRoot): boolean => {
    const [before, after] = [markOf(tree, earlier), markOf(tree, later)]
    return before !== undefined && after !== undefined && after.at - before.at > longestPauseMs
  }
  return deletionsOf(tree, { isApart }).flatMap(({ roots, peerId }) => {
    const counted = roots.map((root) => ({ root, items: countItems(tree, root, isItem) }))
    const ofItems = counted.filter(({ items }) => items > 0).map(({ root }) => root)
    const [first] = ofItems
    if (first === undefined) return []
    const mark = ofItems.map((root) => markOf(tree, root)).findLast((found) => found !== undefined)
    return {
      id: first.id,
      roots: ofItems,
      items: counted.reduce((sum, { items }) => sum + items, 0),
      by: mark?.by ?? (peerId === tree.peerId ? 'own' : null),
      at: mark?.at ?? null,
    }
  })
}

/**
 * A fifth of what is in view is more than somebody misses in passing, and with fewer than five items the
 * list of what was deleted does as well: below either, clearing up is the daily business of a space.
 */
const massShare = 0.2
const massItems = 5

/** What notices are open, after `fresh` vertices were deleted or others came back. */
export function massDeletionsAfter(
  tree: Tree,
  open: readonly MassDeletion[],
  fresh: ReadonlySet<string>,
  /** Those that count, where not all do. */
  counts: (vertexId: string) => boolean = () => true,
): MassDeletion[] {
  const kept = open.filter(({ roots }) => stillDeleted(tree, roots).length > 0)
  if (fresh.size === 0) return kept
  const groups = deletedItemsOf(tree).flatMap((group) => {
    const roots = group.roots.filter(({ id }) => fresh.has(id))
    const [first] = roots
    const items = countIn(tree, roots, counts)
    return first === undefined ? [] : { ...group, id: first.id, roots, items }
  })
  const of = shownItems(tree).size + groups.reduce((sum, { items }) => sum + items, 0)
  const mass = groups.filter(({ items }) => items >= massItems && items / of > massShare)
  return [...mass.map((group) => ({ ...group, of })), ...kept]
}

/** Puts items back where they were, as far as they are deleted still. */
export function restoreItems(tree: Tree, deletion: { readonly roots: readonly DeletedVertex[] }): void {
  edit(tree, () => {
    for (const id of restoreDeletion(tree, deletion)) {
      const vertex = tree.getVertex(id)
      // The forest that it was in may be gone on its own account.
      const isLost = vertex !== undefined && nameOf(vertex) !== forestName && !isShown(tree, id)
      if (isLost) tree.moveVertex(id, forestHome(tree))
    }
  })
}

/** Who deleted it, to `reader`. */
export function deleterName(by: Deleter, reader: Pick<Reader, 'id' | 'isAlone'>): string {
  if (by === 'own' || reader.isAlone) return 'You'
  if (by === null) return 'Someone'
  return by.id === reader.id ? 'You' : by.name
}

/** Tells whether a deleted root was in the sidebar, by what it was in: settings and providers are not. */
function itemTest(tree: Tree): (root: DeletedRoot) => boolean {
  const parents = new Map(tree.getDeletedVertices().map(({ id, parentId }) => [id, parentId]))
  const known = new Map<string, boolean>()
  return ({ parentId }) => {
    const path = new Set<string>()
    let found = false
    for (let id: string | undefined = parentId; id !== undefined && !path.has(id);) {
      const vertex = tree.getVertex(id)
      const before = known.get(id)
      if (before !== undefined || (vertex !== undefined && nameOf(vertex) === forestName)) {
        found = before ?? true
        break
      }
      path.add(id)
      id = parents.get(id) ?? vertex?.parentId ?? undefined
    }
    for (const id of path) known.set(id, found)
    return found
  }
}

/** A forest is no item itself, but what is in it is. */
function countItems(tree: Tree, root: DeletedRoot, isItem: (root: DeletedRoot) => boolean): number {
  const vertex = tree.getVertex(root.id)
  if (vertex !== undefined && nameOf(vertex) === forestName) return root.vertices - 1
  return isItem(root) ? root.vertices : 0
}

function countIn(tree: Tree, roots: readonly DeletedRoot[], counts: (vertexId: string) => boolean): number {
  let count = 0
  const waiting = roots.map(({ id }) => id)
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const vertex = tree.getVertex(id)
    if (vertex !== undefined && nameOf(vertex) !== forestName && counts(id)) count++
    for (const child of tree.getChildrenIds(id)) waiting.push(child)
  }
  return count
}
