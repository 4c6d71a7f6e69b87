import { nullVertexId } from '@t69/protocol'

import { compareOpIds } from './op-order.ts'
import type { DeletedVertex, Replica } from './replica.ts'

/**
 * Deleting is a move to the null vertex, and nothing leaves the log: what is deleted can be listed, in the
 * groups in which it went, and moved back. Both read the tree as it is now, once over what is deleted;
 * nothing is kept for them while nobody asks.
 */

/** A vertex that is deleted, with what it took along. */
export interface DeletedRoot extends DeletedVertex {
  /** Itself and all that is below it now. What was deleted on its own is a root of its own. */
  readonly vertices: number
}

/** Deletions that belong together, as far as they still hold. */
export interface Deletion {
  /** The replica on which it was done; a new one for each page that is opened. */
  readonly peerId: string
  /** In the order in which they went. At least one. */
  readonly roots: readonly DeletedRoot[]
  /** How many vertices it keeps out of view. */
  readonly vertices: number
  /** Of the vertices that would be in view without it, those that it keeps out: from 0 to 1. */
  readonly share: number
}

/**
 * One action writes a few operations for each vertex that it deletes. More ticks than this between two
 * deletions, and somebody did something else, or heard from others, in between.
 */
const maxTicksApart = 16

export interface GroupingOptions {
  /** For whoever knows more than clocks, such as the time of day: whether these two do not belong together. */
  readonly isApart?: (earlier: DeletedRoot, later: DeletedRoot) => boolean
}

/**
 * What is deleted in a tree, in groups, the newest first. Two deletions belong together when the same peer
 * made them, one after the other, with no more than a few ticks of its clock between. Linear.
 */
export function deletionsOf(replica: Replica, { isApart = () => false }: GroupingOptions = {}): Deletion[] {
  const groups: DeletedRoot[][] = []
  const latest = new Map<string, DeletedRoot[]>()
  for (const deleted of replica.getDeletedVertices()) {
    const root = { ...deleted, vertices: countBelow(replica, deleted.id) + 1 }
    const { peerId, counter } = root.deletedBy
    const group = latest.get(peerId)
    const before = group?.at(-1)
    const isNear = before !== undefined && counter - before.deletedBy.counter <= maxTicksApart
    if (group !== undefined && isNear && !isApart(before, root)) group.push(root)
    else {
      const made = [root]
      groups.push(made)
      latest.set(peerId, made)
    }
  }
  const inView = replica.getAllVertices().length - 1 - countBelow(replica, nullVertexId)
  return groups
    .toSorted((a, b) => compareLast(b, a))
    .map((roots) => {
      const vertices = roots.reduce((sum, root) => sum + root.vertices, 0)
      const peerId = roots[0]?.deletedBy.peerId ?? ''
      return { peerId, roots, vertices, share: vertices / (inView + vertices) }
    })
}

/**
 * Of these roots, those that are deleted still. One that came back and was deleted once more is not: that
 * is another deletion. One that somebody else turns out to have deleted even earlier is.
 */
export function stillDeleted(replica: Replica, roots: readonly DeletedVertex[]): DeletedVertex[] {
  const now = new Map(replica.getDeletedVertices().map((deleted) => [deleted.id, deleted]))
  return roots.flatMap(({ id, deletedBy }) => {
    const deleted = now.get(id)
    return deleted !== undefined && compareOpIds(deleted.deletedBy, deletedBy) <= 0 ? [deleted] : []
  })
}

/**
 * Moves back what these roots still keep out of view, by ordinary edits, and returns the ids of the roots
 * that it moved. Each goes below the parent that it had. Where that is deleted too, and not by `roots`, it
 * goes to the nearest vertex above that is in view, and to the root where there is none. Doing it twice,
 * or on two devices at once, is doing it once.
 */
export function restoreDeletion(
  replica: Replica,
  { roots }: { readonly roots: readonly DeletedVertex[] },
): string[] {
  const rootId = replica.root?.id
  if (rootId === undefined) return []
  const deleted = stillDeleted(replica, roots)
  const placeFor = placesFor(replica, new Set(deleted.map(({ id }) => id)), rootId)
  // In their old order among siblings: it becomes the order of the moves.
  const inOrder = deleted.toSorted((a, b) => compareOpIds(a.placedBy, b.placedBy))
  const places = inOrder.map(({ id, parentId }) => ({ id, parentId: placeFor(parentId) }))
  const isInside = (vertexId: string, id: string) => vertexId === id || replica.isAncestor(vertexId, id)
  const moved: string[] = []
  for (const { id, parentId } of places) {
    // Two that were inside each other, one after the other, cannot be so at once.
    const place = isInside(parentId, id) ? rootId : parentId
    // No server takes a move of the root. Where one is in a log all the same, there may be no place.
    if (isInside(place, id)) continue
    replica.moveVertex(id, place)
    moved.push(id)
  }
  return moved
}

/** Finds the place that is in view once `returning` are: `parentId`, or what was above it. */
function placesFor(
  replica: Replica,
  returning: ReadonlySet<string>,
  rootId: string,
): (parentId: string) => string {
  const deleted = new Map(replica.getDeletedVertices().map(({ id, parentId }) => [id, parentId]))
  /** What of the deleted each vertex is below, or is; null where it is in view. */
  const goneWith = new Map<string, string | null>()

  function findGoneWith(vertexId: string): string | null {
    const path: string[] = []
    let found: string | null = null
    for (let id: string | null = vertexId; id !== null;) {
      const known = goneWith.get(id)
      if (known !== undefined) {
        found = known
        break
      }
      path.push(id)
      const parentId: string | null = replica.getVertex(id)?.parentId ?? null
      if (parentId === nullVertexId) {
        found = id
        break
      }
      id = parentId
    }
    for (const id of path) goneWith.set(id, found)
    return found
  }

  return (parentId) => {
    const passed = new Set<string>()
    for (let id: string | undefined = parentId; id !== undefined && id !== nullVertexId;) {
      const gone = findGoneWith(id)
      if (gone === null || returning.has(gone)) return id
      // It may have been above what is above it now.
      if (passed.has(gone)) break
      passed.add(gone)
      id = deleted.get(gone)
    }
    return rootId
  }
}

function countBelow(replica: Replica, vertexId: string): number {
  let count = 0
  const waiting = [vertexId]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const children = replica.getChildrenIds(id)
    count += children.length
    for (const child of children) waiting.push(child)
  }
  return count
}

function compareLast(a: readonly DeletedRoot[], b: readonly DeletedRoot[]): number {
  const [last, otherLast] = [a.at(-1), b.at(-1)]
  return last === undefined || otherLast === undefined ? 0 : compareOpIds(last.deletedBy, otherLast.deletedBy)
}
