import type { JsonValue } from '@t69/protocol'

import { threadOf } from './chat-tree.ts'
import { deleteMessage, isDeleted, type DeletionMark } from './deleted-messages.ts'
import { deleteItem } from './deletions.ts'
import { isShown, moveToTop } from './space-tree.ts'
import { isInView, tracesOf } from './traces.ts'
import { edit, type Tree, type Vertex } from './tree.ts'

/**
 * Undoing what one did oneself. An action is recorded as the changes it made: of properties, of places, and new vertices.
 * Undoing writes the values before, as new edits, and is an action itself, which redoing undoes. An action is undone
 * as a whole, or not at all if somebody else has meanwhile changed anything that it changed, or built on it: nobody's
 * later edit is ever taken back by somebody else's undo.
 */

/** A change of a property of a vertex. Undefined is a property that is not there. */
interface PropertyChange {
  readonly kind: 'property'
  readonly treeId: string
  readonly vertexId: string
  readonly key: string
  readonly before: JsonValue | undefined
  readonly after: JsonValue | undefined
}

interface PlaceChange {
  readonly kind: 'place'
  readonly treeId: string
  readonly vertexId: string
  /** Ids of parents; '0' for a deleted vertex. */
  readonly before: string
  readonly after: string
  /** What was in it: deleting it again must not delete what somebody else has put there meanwhile. */
  readonly contents: ReadonlySet<string>
}

interface NewVertex {
  readonly kind: 'new'
  readonly treeId: string
  readonly vertexId: string
}

export type Change = PropertyChange | PlaceChange | NewVertex

/** The id of the operation by which somebody else changed something, or built on it. */
export interface OpRef {
  readonly treeId: string
  readonly counter: number
  readonly peerId: string
}

/** Why an action is not undone. `by` is null where no operation tells who it was. */
export interface Refusal {
  readonly by: OpRef | null
}

const nullVertexId = '0'

/** What undoing needs to know. */
export interface UndoContext {
  /** The trees of the changes by their ids; undefined for one that is not there. */
  readonly treeOf: (treeId: string) => Tree | undefined
  /** Whether this page made an operation: each opening of a tree has a peer id of its own. */
  readonly isOwn: (peerId: string) => boolean
  /** With which new items and messages are deleted. */
  readonly mark: DeletionMark
  /** False where a full server accepts deletions and no other edits: items are deleted without the mark then. */
  readonly canMark: boolean
}

/**
 * Makes an edit and returns what it changed. `vertexIds` are the vertices that it may change, apart from those that it
 * creates; it throws if the edit changed another one, which could not be undone.
 */
export function record<T>(
  treeId: string,
  tree: Tree,
  vertexIds: readonly string[],
  change: () => T,
): { readonly result: T; readonly changes: readonly Change[] } {
  const before = new Map(vertexIds.map((id) => [id, snapshotOf(tree, id)]))
  const touched = new Map<string, { readonly keys: Set<string>; isPlaced: boolean }>()
  // The parameter names only what is read: a move has no key.
  const stop = tree.observeOpApplied((op: { targetId: string; key?: string; transient?: boolean }) => {
    if (op.transient === true) return
    const of = touched.get(op.targetId) ?? { keys: new Set<string>(), isPlaced: false }
    touched.set(op.targetId, of)
    if (op.key === undefined) of.isPlaced = true
    else of.keys.add(op.key)
  })
  let result: T
  try {
    result = edit(tree, change)
  } finally {
    stop()
  }
  const changes = Array.from(touched).flatMap(([vertexId, { keys, isPlaced }]): Change[] => {
    const was = before.get(vertexId)
    if (was === undefined) {
      if (isPlaced) return [{ kind: 'new', treeId, vertexId }]
      throw new Error(`An edit that is to be undone changed the vertex ${vertexId}, which it did not name`)
    }
    const now = snapshotOf(tree, vertexId)
    const properties = Array.from(keys).flatMap((key): Change[] => {
      const [from, to] = [was.properties[key], now.properties[key]]
      if (isSame(from, to)) return []
      return [{ kind: 'property', treeId, vertexId, key, before: from, after: to }]
    })
    if (was.parentId === null || now.parentId === null || was.parentId === now.parentId) return properties
    const contents = new Set(idsBelow(tree, vertexId))
    return [
      ...properties,
      { kind: 'place', treeId, vertexId, before: was.parentId, after: now.parentId, contents },
    ]
  })
  return { result, changes }
}

interface Snapshot {
  readonly parentId: string | null
  readonly properties: Readonly<Record<string, JsonValue | undefined>>
}

function snapshotOf(tree: Tree, id: string): Snapshot {
  const vertex = tree.getVertex(id)
  if (vertex === undefined) throw new Error(`There is no vertex ${id} to change`)
  const keys = Object.keys(vertex.getProperties())
  const properties = Object.fromEntries(keys.map((key) => [key, stored(vertex, key)]))
  return { parentId: vertex.parentId ?? null, properties }
}

function stored(vertex: Vertex, key: string): JsonValue | undefined {
  return vertex.getProperty(key, false)
}

function isSame(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function idsBelow(tree: Tree, id: string): string[] {
  const found: string[] = []
  const waiting = [...tree.getChildrenIds(id)]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    found.push(next)
    for (const child of tree.getChildrenIds(next)) waiting.push(child)
  }
  return found
}

/**
 * Undoes an action, or says why not. The result is the action that redoes it: undoing that one has the effect of the
 * first.
 */
export function undoAction(
  changes: readonly Change[],
  context: UndoContext,
): { readonly undone: readonly Change[] } | { readonly refused: Refusal } {
  for (const change of changes) {
    const refused = refusalOf(change, changes, context)
    if (refused !== null) return { refused }
  }
  const undone: Change[] = []
  // The last first, each tree at once: what others see of it is one edit.
  for (const [treeId, ofTree] of Map.groupBy(changes.toReversed(), (change) => change.treeId)) {
    const tree = context.treeOf(treeId)
    if (tree === undefined) continue
    const ids = [...new Set(ofTree.map(({ vertexId }) => vertexId))]
    const { changes: back } = record(treeId, tree, ids, () => {
      for (const change of ofTree) putBack(tree, change, context)
    })
    undone.push(...back)
  }
  return { undone }
}

/** Why a change cannot be undone; null if it can. */
function refusalOf(change: Change, all: readonly Change[], context: UndoContext): Refusal | null {
  const { treeId, vertexId } = change
  const tree = context.treeOf(treeId)
  const vertex = tree?.getVertex(vertexId)
  if (tree === undefined || vertex === undefined) return { by: null }
  const refer = (op: { counter: number; peerId: string } | undefined): Refusal => ({
    by: op === undefined ? null : { treeId, counter: op.counter, peerId: op.peerId },
  })
  if (change.kind === 'property') {
    const writer = tree.writerOf(vertexId, change.key)
    const isOurs = writer !== undefined && context.isOwn(writer.peerId)
    if (!isOurs || !isSame(stored(vertex, change.key), change.after)) return refer(writer)
    return hidesMessage(tree, change, all) ? answerOf(tree, vertexId, context, refer) : null
  }
  const placer = tree.placerOf(vertexId)
  if (placer === undefined || !context.isOwn(placer.peerId)) return refer(placer)
  if (change.kind === 'place' && vertex.parentId !== change.after) return refer(placer)
  if (change.kind === 'new') {
    const writers = Object.keys(vertex.getProperties()).map((key) => tree.writerOf(vertexId, key))
    const other = writers.find((op) => op !== undefined && !context.isOwn(op.peerId))
    if (other !== undefined) return refer(other)
  }
  if (isMessage(tree, vertexId)) return answerOf(tree, vertexId, context, refer)
  const goes = change.kind === 'new' || change.before === nullVertexId
  if (!goes) return null
  const contents = change.kind === 'new' ? new Set<string>() : change.contents
  const added = idsBelow(tree, vertexId).find((id) => !contents.has(id))
  return added === undefined ? null : refer(tree.placerOf(added))
}

function isMessage(tree: Tree, id: string): boolean {
  return tracesOf(tree).messages.has(id)
}

/** Whether undoing a change deletes a version of a message of which others stay: what follows it goes with it. */
function hidesMessage(tree: Tree, change: PropertyChange, all: readonly Change[]): boolean {
  if (change.key !== 'deleted' || change.before === undefined || !isMessage(tree, change.vertexId))
    return false
  const entry = threadOf(tree).find(({ versions }) => versions.includes(change.vertexId))
  const isGoing = (it: Change): boolean =>
    it.kind === 'property' && it.key === 'deleted' && it.before !== undefined
  const going = new Set(all.filter(isGoing).map(({ vertexId }) => vertexId))
  return entry !== undefined && entry.versions.some((id) => !going.has(id))
}

/** What somebody else wrote below a message, which would leave the screen with it. */
function answerOf(
  tree: Tree,
  messageId: string,
  context: UndoContext,
  refer: (op: { counter: number; peerId: string } | undefined) => Refusal,
): Refusal | null {
  for (const id of idsBelow(tree, messageId)) {
    const vertex = tree.getVertex(id)
    const placer = tree.placerOf(id)
    if (vertex === undefined || isDeleted(vertex)) continue
    if (placer === undefined || !context.isOwn(placer.peerId)) return refer(placer)
  }
  return null
}

function putBack(tree: Tree, change: Change, { mark, canMark }: UndoContext): void {
  const { vertexId } = change
  if (change.kind === 'property') tree.setVertexProperty(vertexId, change.key, change.before)
  else if (change.kind === 'place') move(tree, vertexId, change.before)
  else if (isMessage(tree, vertexId)) deleteMessage(tree, [vertexId], mark)
  else deleteItem(tree, vertexId, canMark ? mark : null)
}

/** Puts an item where it was. Where that is gone meanwhile, or inside the item by now, it goes to the top. */
function move(tree: Tree, id: string, parentId: string): void {
  const isInside = parentId === id || tree.isAncestor(parentId, id)
  const isThere =
    parentId === nullVertexId || (tree.getVertex(parentId) !== undefined && isInView(tree, parentId))
  if (isThere && !isInside) tree.moveVertex(id, parentId)
  if (!isThere || isInside || (parentId !== nullVertexId && !isShown(tree, id))) moveToTop(tree, id)
}
