import type { Ack, RequestReply, SignalPayload, SpaceId, TreeId } from '@t69/protocol'

import type { Link } from '../link/index.ts'
import type { SyncMachine } from '../machine/index.ts'
import type { ClientStorage } from '../storage/index.ts'

/** A tree as a tab shows it: the digest of its replica when the device was at this cursor. */
export interface ShownTree {
  readonly treeId: TreeId
  readonly cursor: number
  readonly digest: string
}

/** The result of comparing a tree with the server's log. */
export interface TreeVerdict {
  readonly treeId: TreeId
  readonly cursor: number
  /** Null when the tree could not be compared at that cursor. */
  readonly matches: boolean | null
  /** The log's digest; empty when the tree could not be compared. */
  readonly digest: string
}

/** How a tree that did not match the log differed from its rebuilt replica. */
export type Divergence = Omit<SignalPayload<'divergence:report'>, 'spaceId' | 'logId'>

/**
 * Asks the server to compare a tree at the tab's cursor. Does not ask if the tab's replica may hold operations that the
 * log does not have at that cursor: an unsent edit of another tab, or a refused edit.
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
  // Read last: an edit that was settled since the digest was computed has moved the cursor.
  const state = await storage.getSyncState(spaceId)
  if (state === undefined || state.logId !== logId || state.cursor !== cursor || state.reconciling)
    return unknown
  const { promise, resolve } = Promise.withResolvers<Ack<RequestReply<'tree:compare'>>>()
  link.request('tree:compare', { spaceId, treeId, logId, cursor, digest }, resolve)
  const ack = await promise
  return ack.ok ? { treeId, cursor, matches: ack.matches, digest: ack.digest } : unknown
}
