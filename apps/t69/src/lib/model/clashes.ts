import type { JsonValue } from '@t69/protocol'

import { isInView } from './traces.ts'
import type { Tree } from './tree.ts'
import type { Change } from './undo.ts'

/**
 * Edits of two people that undo each other: both renamed the same chat, or moved it, or one deleted what the other
 * changed, and neither knew. The tree keeps one of the two. Whoever hears of it last is told, and can have the other.
 */
export interface Clash {
  readonly kind: 'title' | 'place' | 'deleted'
  readonly itemId: string
  /** Whether what this page did is what stayed. */
  readonly isMineKept: boolean
  /** The titles, or the ids of the parents, that this page and the other one gave it; empty for a deletion. */
  readonly mine: string
  readonly theirs: string
  /** The operation of the other. */
  readonly op: { readonly counter: number; readonly peerId: string }
}

/** An operation of somebody else. A move has no key. */
export interface OtherOp {
  readonly id: { readonly counter: number; readonly peerId: string }
  readonly targetId: string
  readonly key?: string
  readonly value?: JsonValue | undefined
  readonly parentId?: string | null
}

const nullVertexId = '0'

/**
 * What an operation of somebody else did to changes of the sidebar that they did not know: `unsent` are those that the
 * server has not committed. Null when it did nothing to them. Asked once the operation has taken effect.
 */
export function clashOf(tree: Tree, unsent: readonly Change[], other: OtherOp): Clash | null {
  const { targetId, key, id: op } = other
  const vertex = tree.getVertex(targetId)
  if (key === undefined && other.parentId === nullVertexId) {
    const touched = unsent.findLast(
      ({ vertexId }) => vertexId === targetId || tree.isAncestor(vertexId, targetId),
    )
    if (touched === undefined || isDeletion(touched) || isInView(tree, targetId)) return null
    return { kind: 'deleted', itemId: targetId, isMineKept: false, mine: '', theirs: '', op }
  }
  if (vertex === undefined) return null
  if (key === undefined) {
    const moved = unsent.findLast((it) => it.kind === 'place' && it.vertexId === targetId)
    const theirs = other.parentId ?? ''
    if (moved?.kind !== 'place' || isDeletion(moved) || moved.after === theirs) return null
    const isMineKept = vertex.parentId === moved.after
    return { kind: 'place', itemId: targetId, isMineKept, mine: moved.after, theirs, op }
  }
  const renamed = unsent.findLast(
    (it) => it.kind === 'property' && it.vertexId === targetId && it.key === key,
  )
  if (key !== 'title' || renamed?.kind !== 'property') return null
  const [mine, theirs] = [renamed.after, other.value]
  if (typeof mine !== 'string' || typeof theirs !== 'string' || mine === theirs) return null
  return {
    kind: 'title',
    itemId: targetId,
    isMineKept: vertex.getProperty('title', false) === mine,
    mine,
    theirs,
    op,
  }
}

/** Two deletions of one thing agree. */
function isDeletion(change: Change): boolean {
  return change.kind === 'place' && change.after === nullVertexId
}
