import { nullVertexId } from '@t69/protocol'

import { compareOpIds } from './op-order.ts'
import type { DeletedVertex, Replica } from './replica.ts'

/**
 * Deleting is a move to the null vertex, and nothing leaves the log. So deleted vertices can be listed, grouped as they
 * were deleted, and moved back. Both read the tree as it is now, and keep no state in between.
 */

/** A deleted vertex, with everything below it. */
export interface DeletedRoot extends DeletedVertex {
  /** The number of vertices at and below it now. A vertex below that was deleted itself is a root of its own. */
  readonly vertices: number
}

/** Vertices that were deleted together and are still deleted. */
export interface Deletion {
  /** The peer that deleted them: one opened page, since each page has a new peer id. */
  readonly peerId: string
  /** At least one, in the order in which they were deleted. */
  readonly roots: readonly DeletedRoot[]
  /** The number of vertices that the deletion hides. */
  readonly vertices: number
  /** The hidden vertices, as a share (0 to 1) of the vertices that would be in view without the deletion. */
  readonly share: number
}

/**
 * The most ticks of a peer's clock between two deletions that belong together. One action makes a few operations for
 * each vertex that it deletes. With more ticks in between, the peer did something else or merged operations of others.
 */
const maxTicksApart = 16

export interface GroupingOptions {
  /** Tells that two deletions do not belong together, from something other than clocks, such as the time of day. */
  readonly isApart?: (earlier: DeletedRoot, later: DeletedRoot) => boolean
}

/**
 * The deleted vertices of a tree in groups, newest first. Two deletions belong together if the same peer made them one
 * after the other, with at most a few ticks of its clock in between. Linear.
 *
 *     const [newest] = deletionsOf(tree)
 *     if (newest !== undefined) restoreDeletion(tree, newest)
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
      const started = [root]
      groups.push(started)
      latest.set(peerId, started)
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
 * The roots that are still deleted. A root that came back and was deleted again is left out: that is another deletion.
 * A root that somebody else is found to have deleted even earlier is included.
 */
export function stillDeleted(replica: Replica, roots: readonly DeletedVertex[]): DeletedVertex[] {
  const now = new Map(replica.getDeletedVertices().map((deleted) => [deleted.id, deleted]))
  return roots.flatMap(({ id, deletedBy }) => {
    const deleted = now.get(id)
    return deleted !== undefined && compareOpIds(deleted.deletedBy, deletedBy) <= 0 ? [deleted] : []
  })
}

/**
 * Moves back the roots that are still deleted, by ordinary edits, and returns the ids of those it moved. Each goes under
 * the parent that it had. If that is deleted too, and is not among `roots`, it goes under the nearest vertex above that
 * is in view, or under the root. Restoring twice, or on two devices at once, has the same result as restoring once.
 */
export function restoreDeletion(
  replica: Replica,
  { roots }: { readonly roots: readonly DeletedVertex[] },
): string[] {
  const rootId = replica.root?.id
  if (rootId === undefined) return []
  const deleted = stillDeleted(replica, roots)
  const placeFor = placesFor(replica, new Set(deleted.map(({ id }) => id)), rootId)
  // Siblings are ordered by their moves, so moving them in their old order restores it.
  const inOrder = deleted.toSorted((a, b) => compareOpIds(a.placedBy, b.placedBy))
  const places = inOrder.map(({ id, parentId }) => ({ id, parentId: placeFor(parentId) }))
  const isInside = (vertexId: string, id: string) => vertexId === id || replica.isAncestor(vertexId, id)
  const moved: string[] = []
  for (const { id, parentId } of places) {
    // Two vertices may each have been inside the other at different times. Both cannot be at once.
    const place = isInside(parentId, id) ? rootId : parentId
    // No server accepts a move of the root. If a log has one all the same, there may be no place.
    if (isInside(place, id)) continue
    replica.moveVertex(id, place)
    moved.push(id)
  }
  return moved
}

/** Returns a function that finds the vertex to return to: a former parent, or the nearest above it that will be in view. */
function placesFor(
  replica: Replica,
  returning: ReadonlySet<string>,
  rootId: string,
): (parentId: string) => string {
  const deleted = new Map(replica.getDeletedVertices().map(({ id, parentId }) => [id, parentId]))
  /** For each vertex, the deleted vertex that it is or is below, or null if it is in view. */
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
      // The former parents may form a circle.
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
