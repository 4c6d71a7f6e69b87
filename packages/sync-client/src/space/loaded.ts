import { SyncError, type TreeId } from '@t69/protocol'
import type { Vertex } from '@t69/replica'

import type { SpaceStatus } from '../api.ts'
import { eitherSignal, unlessAborted, type Listeners } from '../runtime/index.ts'
import type { OpenTrees } from './open-trees.ts'

interface Parts {
  readonly trees: Pick<OpenTrees, 'get'>
  readonly statusListeners: Pick<Listeners<SpaceStatus>, 'add'>
  readonly replacedListeners: Pick<Listeners<TreeId>, 'add'>
  readonly status: () => SpaceStatus
  /** Aborts, with an `unavailable`, once the space is closed, and with an `unauthenticated` once it is locked. */
  readonly released: () => AbortSignal
}

/**
 * Resolves with the root of an open tree once this device has it. Throws `not_found` for a tree that is not open, what
 * blocks the space while the root is missing, and `unavailable` once the space is closed.
 */
export async function untilLoaded(
  { trees, statusListeners, replacedListeners, status, released }: Parts,
  treeId: TreeId,
  signal: AbortSignal | undefined,
): Promise<Vertex> {
  const ended = eitherSignal(released(), signal)
  for (;;) {
    ended.throwIfAborted()
    const tree = trees.get(treeId)
    if (tree === undefined) throw new SyncError('not_found', `The tree ${treeId} is not open`)
    if (tree.root !== undefined) return tree.root
    const { phase, error } = status()
    if (phase === 'blocked' && error !== null) throw SyncError.from(error)
    const { promise: changed, resolve } = Promise.withResolvers<void>()
    const look = (): void => resolve()
    const stops = [tree.observeOpApplied(look), statusListeners.add(look), replacedListeners.add(look)]
    try {
      await unlessAborted(changed, ended)
    } finally {
      for (const stop of stops) stop()
    }
  }
}
