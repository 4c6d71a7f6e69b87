import { deletionsOf, restoreDeletion, stillDeleted } from '@t69/sync-client'
import type { DeletedRoot, DeletedVertex } from '@t69/sync-client'

import type { Author, Reader } from './authorship.ts'
import { shownLine } from './shown-text.ts'
import { isForest, isShown, moveToTop, shownItems, titleOf, treeIdOf } from './space-tree.ts'
import { isInView, tracesOf } from './traces.ts'
import { edit, isTime, unwatched, type Tree, type Vertex, type Visit } from './tree.ts'

/**
 * The items that were deleted from the sidebar, for the list of deleted items and for the notice after a mass
 * deletion. An operation that deletes says neither who deleted nor when, so the app marks an item with both as it
 * deletes it. A deletion without a mark was by someone, at some time.
 */

/** Who deleted an item. `own`: this page, with or without a user. Null: unknown. */
export type Deleter = Author | Vouched | 'own' | null

/** An account of which the server says that it deleted something. */
export interface Vouched {
  readonly userId: string
}

/** Says which account made an operation of the space's tree, and when, by the server's word; null while not known. */
export type Voucher = (op: DeletedRoot['deletedBy']) => (Vouched & { readonly at: number }) | null

const nobodyVouches: Voucher = () => null

/** Items that were deleted together. */
export interface DeletedItems {
  /** The id of the first item, which identifies the group. */
  readonly id: string
  readonly roots: readonly DeletedRoot[]
  /** How many chats and folders the sidebar lacks because of it. */
  readonly items: number
  readonly by: Deleter
  /** Unix ms, by the clock of the device that deleted them; null when unknown. */
  readonly at: number | null
}

/** A deletion that took much of a space out of view at once. */
export interface MassDeletion extends DeletedItems {
  /** How many chats and folders were in view before. */
  readonly of: number
}

const markKey = 'deleted'
/** The vertex under which deleted ones are. */
const nullVertexId = '0'

/** The mark on a deleted item. Only `deleteItem` leaves one. */
interface Mark {
  readonly at: number
  /** Null when nobody was signed in. */
  readonly by: Author | null
  /** The replica that wrote the mark. If another replica deleted the item, the mark is of an earlier deletion. */
  readonly peer: string
}

/**
 * Deletes an item with everything inside it, and marks it with who did so and when; a null `mark` leaves none.
 * Returns the deletion, which `restoreItems` undoes.
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

/** Deletions further apart than this, in ms, are separate groups: nobody pauses so long while clearing up. */
const longestPauseMs = 60_000

/** The deleted items of the sidebar, in the groups in which they were deleted, newest first. */
export function deletedItemsOf(tree: Tree, vouch: Voucher = nobodyVouches): DeletedItems[] {
  const isItem = itemTest(tree)
  const chatsBelow = chatsByRoot(tree)
  const isApart = (earlier: DeletedRoot, later: DeletedRoot): boolean => {
    // Somebody else can write under a page's id as well.
    const [one, other] = [vouch(earlier.deletedBy), vouch(later.deletedBy)]
    if (one !== null && other !== null && one.userId !== other.userId) return true
    const [before, after] = [markOf(tree, earlier), markOf(tree, later)]
    return before !== undefined && after !== undefined && after.at - before.at > longestPauseMs
  }
  return deletionsOf(tree, { isApart }).flatMap(({ roots, peerId }) => {
    const counted = roots.map((root) => ({ root, items: countItems(tree, root, isItem, chatsBelow) }))
    const ofItems = counted.filter(({ items }) => items > 0).map(({ root }) => root)
    const [first] = ofItems
    if (first === undefined) return []
    const mark = ofItems.map((root) => markOf(tree, root)).findLast((found) => found !== undefined)
    const vouched = ofItems.map((root) => vouch(root.deletedBy)).findLast((found) => found !== null)
    return {
      id: first.id,
      roots: ofItems,
      items: counted.reduce((sum, { items }) => sum + items, 0),
      by: vouched ? { userId: vouched.userId } : (mark?.by ?? (peerId === tree.peerId ? 'own' : null)),
      at: mark?.at ?? vouched?.at ?? null,
    }
  })
}

/**
 * A mass deletion takes more than this share of the items in view, and at least this many items. Less than that is
 * everyday clearing up, for which the list of deleted items is enough.
 */
const massShare = 0.2
const massItems = 5

/** The mass deletions to show notices of, after `fresh` vertices were deleted or others were restored. */
export function massDeletionsAfter(
  tree: Tree,
  open: readonly MassDeletion[],
  fresh: ReadonlySet<string>,
  /** Tells which of the deleted vertices count; all do by default. */
  counts: (vertexId: string) => boolean = () => true,
  vouch: Voucher = nobodyVouches,
): MassDeletion[] {
  const kept = open.filter(({ roots }) => stillDeleted(tree, roots).length > 0)
  if (fresh.size === 0) return kept
  const groups = deletedItemsOf(tree, vouch).flatMap((group) => {
    const roots = group.roots.filter(({ id }) => fresh.has(id))
    const [first] = roots
    const items = countIn(tree, roots, counts)
    return first === undefined ? [] : { ...group, id: first.id, roots, items }
  })
  const of = shownItems(tree).size + groups.reduce((sum, { items }) => sum + items, 0)
  const mass = groups.filter(({ items }) => items >= massItems && items / of > massShare)
  return [...mass.map((group) => ({ ...group, of })), ...kept]
}

/** Restores items to where they were, except those that are no longer deleted. */
export function restoreItems(tree: Tree, deletion: { readonly roots: readonly DeletedVertex[] }): void {
  const isItem = itemTest(tree)
  const wasItem = new Set(deletion.roots.flatMap((root) => (isItem(root) ? root.id : [])))
  edit(tree, () => {
    for (const id of restoreDeletion(tree, deletion)) {
      // The forest that it was in may have been deleted separately.
      if (wasItem.has(id) && !isShown(tree, id)) moveToTop(tree, id)
    }
  })
}

/** A chat that is neither shown nor in the list of deletions: something else was put in its place. */
export interface LostChat {
  readonly treeId: string
  readonly title: string
}

/** The chats that only `restoreChat` brings back: no vertex stands for them any more, or one that was never in view. */
export function lostChatsOf(tree: Tree, visit: Visit = unwatched): LostChat[] {
  const listed = new Set(tree.getDeletedVertices().map(({ id }) => id))
  const rootOf = deletedRoots(tree)
  const isLost = (vertex: Vertex, treeId: string): boolean => {
    if (treeIdOf(vertex) !== treeId) return true
    const root = rootOf(vertex.id)
    return root !== undefined && !listed.has(root)
  }
  const lost = Array.from(tracesOf(tree).chats).flatMap(([treeId, ids]) => {
    const stoodForIt = Array.from(ids).flatMap((id) => tree.getVertex(id) ?? [])
    for (const { parentId } of stoodForIt) if (parentId) visit(parentId)
    const [first] = stoodForIt
    if (first === undefined || !stoodForIt.every((vertex) => isLost(vertex, treeId))) return []
    return [{ treeId, title: titleOf(first) }]
  })
  return lost.toSorted((a, b) => (a.treeId < b.treeId ? -1 : 1))
}

/** The name of the deleter, as `reader` sees it. `nameOf` is the name of an account. */
export function deleterName(
  by: Deleter,
  reader: Pick<Reader, 'id' | 'isAlone'>,
  nameOf: (userId: string) => string,
): string {
  if (by === 'own' || reader.isAlone) return 'You'
  if (by === null) return 'Someone'
  if ('userId' in by) return by.userId === reader.id ? 'You' : shownLine(nameOf(by.userId))
  return by.id === reader.id ? 'You' : shownLine(by.name)
}

/** Returns a test of whether a deleted root was an item of the sidebar, not a setting or a provider. */
function itemTest(tree: Tree): (root: DeletedVertex) => boolean {
  const parents = new Map(tree.getDeletedVertices().map(({ id, parentId }) => [id, parentId]))
  const known = new Map<string, boolean>()
  return ({ id, parentId }) => {
    if (isForest(tree, id)) return false
    const path = new Set<string>()
    let found = false
    for (let id: string | undefined = parentId; id !== undefined && !path.has(id);) {
      const before = known.get(id)
      if (before !== undefined || isForest(tree, id)) {
        found = before ?? true
        break
      }
      path.add(id)
      id = parents.get(id) ?? tree.getVertex(id)?.parentId ?? undefined
    }
    for (const id of path) known.set(id, found)
    return found
  }
}

/** How many items went with a root. A forest is not an item itself, but its contents are. */
function countItems(
  tree: Tree,
  root: DeletedRoot,
  isItem: (root: DeletedVertex) => boolean,
  chatsBelow: ReadonlyMap<string, number>,
): number {
  const chats = chatsBelow.get(root.id) ?? 0
  if (isForest(tree, root.id)) return Math.max(root.vertices - 1, chats)
  return isItem(root) ? root.vertices : chats
}

/**
 * How many chats went with each deleted root, whatever the root is: somebody may have moved chats into a setting, and
 * deleted that.
 */
function chatsByRoot(tree: Tree): Map<string, number> {
  const counts = new Map<string, number>()
  const rootOf = deletedRoots(tree)
  for (const ids of tracesOf(tree).chats.values()) {
    for (const id of ids) {
      const root = rootOf(id)
      if (root !== undefined) counts.set(root, (counts.get(root) ?? 0) + 1)
    }
  }
  return counts
}

/** Returns a function that gives the vertex by whose deletion a chat is deleted. Linear over all questions. */
function deletedRoots(tree: Tree): (chatId: string) => string | undefined {
  const known = new Map<string, string>()
  return (chatId) => {
    let vertex = tree.getVertex(chatId)
    if (vertex === undefined || treeIdOf(vertex) === null || isInView(tree, chatId)) return undefined
    const path: string[] = []
    let root: string | undefined
    while (vertex !== undefined && root === undefined) {
      root = known.get(vertex.id)
      path.push(vertex.id)
      const { parentId }: Vertex = vertex
      if (!parentId || parentId === nullVertexId) root ??= vertex.id
      else vertex = tree.getVertex(parentId)
    }
    if (root !== undefined) for (const id of path) known.set(id, root)
    return root
  }
}

function countIn(tree: Tree, roots: readonly DeletedRoot[], counts: (vertexId: string) => boolean): number {
  let count = 0
  const waiting = roots.map(({ id }) => id)
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!isForest(tree, id) && counts(id)) count++
    for (const child of tree.getChildrenIds(id)) waiting.push(child)
  }
  return count
}
