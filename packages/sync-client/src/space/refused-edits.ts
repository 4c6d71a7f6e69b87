import { opKey, randomPeerId, type SpaceId, type TreeId, type TreeOperation } from '@t69/protocol'

import type { ClientStorage, RejectedEdit } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'
import type { OpenTrees } from './open-trees.ts'
import type { PendingCounter } from './pending-counter.ts'

/** The edits of a space that the server refused. They stay on this device until they are retried or discarded. */
export interface RefusedEdits {
  list(): Promise<RejectedEdit[]>
  /**
   * Sends them again. Those whose id is taken get a new one, and come after everything that the tree holds: an id never
   * changes its operation, and whoever knows the peer id of a page may take the ids of its next edits.
   */
  retry(): Promise<void>
  /** Removes them from the storage for good, and replaces the open trees that had some. */
  discard(): Promise<void>
  /** Another tab has discarded or renamed refused edits of these trees: replaces those that are open. */
  discarded(treeIds: readonly TreeId[]): Promise<void>
}

export interface RefusedEditsDeps {
  readonly spaceId: SpaceId
  readonly storage: ClientStorage
  readonly trees: OpenTrees
  readonly counter: PendingCounter
  readonly tell: Tell
  /** Resolves when every edit made so far is on disk. */
  readonly stored: () => Promise<void>
  readonly onReplaced: (treeId: TreeId) => void
}

export function createRefusedEdits(deps: RefusedEditsDeps): RefusedEdits {
  const { spaceId, storage, trees, counter, tell } = deps

  async function discarded(treeIds: readonly TreeId[]): Promise<void> {
    await counter.recount()
    for (const treeId of treeIds) {
      // Also one that is being read: the read may have begun before.
      if (!trees.ids().includes(treeId)) continue
      await trees.replace(treeId)
      if (trees.get(treeId) !== undefined) deps.onReplaced(treeId)
    }
  }

  /** New operations for those whose id is taken, by the keys of these. */
  async function renamed(): Promise<Map<string, TreeOperation>> {
    const taken = (await storage.readRejected(spaceId)).filter(({ code }) => code === 'op_conflict')
    const made = new Map<string, TreeOperation>()
    for (const [treeId, edits] of Map.groupBy(taken, ({ op }) => op.treeId)) {
      const peerId = randomPeerId()
      let clock = 0
      for (const op of await storage.readTree(spaceId, treeId)) clock = Math.max(clock, op.clock)
      for (const { op } of edits.toSorted((a, b) => a.op.clock - b.op.clock)) {
        made.set(opKey(op), { ...op, peerId, clock: ++clock })
      }
    }
    return made
  }

  return {
    list: () => storage.readRejected(spaceId),
    async retry() {
      const next = await renamed()
      await storage.retryRejected(spaceId, next)
      const treeIds = [...new Set(Array.from(next.values(), ({ treeId }) => treeId))]
      // Told at once: the trees here may wait for the disk, or for nothing any more if the space is closed.
      if (treeIds.length > 0) tell({ type: 'discarded', spaceId, treeIds })
      tell({ type: 'edited', spaceId, ops: [] })
      await discarded(treeIds)
    },
    async discard() {
      await deps.stored()
      // Also those that were refused since somebody looked at them.
      const gone = await storage.discardRejected(spaceId)
      const treeIds = [...new Set(gone.map(({ treeId }) => treeId))]
      tell({ type: 'discarded', spaceId, treeIds })
      await discarded(treeIds)
    },
    discarded,
  }
}
