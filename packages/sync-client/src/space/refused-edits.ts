import type { SpaceId, TreeId } from '@t69/protocol'

import type { ClientStorage, RejectedEdit } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'
import type { OpenTrees } from './open-trees.ts'
import type { PendingCounter } from './pending-counter.ts'

/** The edits of a space that the server refused. They stay on this device until they are retried or discarded. */
export interface RefusedEdits {
  list(): Promise<RejectedEdit[]>
  retry(): Promise<void>
  /** Removes them from the storage for good, and replaces the open trees that had some. */
  discard(): Promise<void>
  /** Another tab has discarded the refused edits of these trees: replaces those that are open. */
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
      if (trees.get(treeId) === undefined) continue
      await trees.replace(treeId)
      deps.onReplaced(treeId)
    }
  }

  return {
    list: () => storage.readRejected(spaceId),
    async retry() {
      await storage.retryRejected(spaceId)
      await counter.recount()
      tell({ type: 'edited', spaceId, ops: [] })
    },
    async discard() {
      await deps.stored()
      const treeIds = [...new Set((await storage.readRejected(spaceId)).map(({ op }) => op.treeId))]
      await storage.discardRejected(spaceId)
      await discarded(treeIds)
      tell({ type: 'discarded', spaceId, treeIds })
    },
    discarded,
  }
}
