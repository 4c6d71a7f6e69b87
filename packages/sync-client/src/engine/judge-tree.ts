import type { SignalPayload, SpaceId, TreeId } from '@t69/protocol'

import type { Link } from '../link/index.ts'
import type { SyncMachine } from '../machine/index.ts'
import type { ClientStorage } from '../storage/index.ts'

/** A tree as a tab shows it: the digest of its replica while the tab's cursor was there. */
export interface ShownTree {
  readonly treeId: TreeId
  readonly cursor: number
  readonly digest: string
}

/** What the server's log says of a tree; `matches` is null when it could not be asked at that cursor. */
export interface TreeVerdict {
  readonly treeId: TreeId
  readonly cursor: number
  readonly matches: boolean | null
  /** The log's digest, where it was asked. */
  readonly digest: string
}

/** What a tab found when it showed a tree anew. */
export type Divergence = Omit<SignalPayload<'divergence:report'>, 'spaceId' | 'logId'>

/**
 * Asks the server about a tree, unless the tab's replica may hold what the log does not have up to the cursor:
 * an edit of another tab on its way, or a refused one.
 */
export async function judgeTree(
  spaceId: SpaceId,
  shown: ShownTree,
  { storage, link, machine }: { storage: ClientStorage; link: Link | null; machine: SyncMachine },
): Promise<TreeVerdict> {
  const { treeId, cursor, digest } = shown
  const unknown: TreeVerdict = { treeId, cursor, matches: null, digest: '' }
  const { logId } = machine.saved
  if (link === null || logId === null || !machine.caughtUp || machine.saved.cursor !== cursor) return unknown
  const refused = await storage.readRejected(spaceId)
  if (refused.some(({ op }) => op.treeId === treeId)) return unknown
  if ((await storage.countPending(spaceId)).pending > 0) return unknown
  // Read last: what was settled since the digest was made has moved the cursor.
  const state = await storage.getSyncState(spaceId)
  if (state === undefined || state.logId !== logId || state.cursor !== cursor || state.reconciling)
    return unknown
  const ack = await link.request('tree:compare', { spaceId, treeId, logId, cursor, digest })
  return ack.ok ? { treeId, cursor, matches: ack.matches, digest: ack.digest } : unknown
}
