import type { PeerId, SpaceId, TreeId } from '@t69/protocol'

import type { OpName } from '../api.ts'
import { createListeners, type Listeners } from '../runtime/index.ts'
import {
  addRun,
  attestationAt,
  type AttestedRun,
  type Attestation,
  type ClientStorage,
  type ClockRun,
} from '../storage/index.ts'

/** Who committed the operations of the trees that a tab has open, as the server attested it. */
export interface OpAuthors {
  /** Null while it is not known, and for a tree that is not open. */
  of(op: OpName): Attestation | null
  /** Reads what is stored about a tree. What is learned meanwhile is not missed. */
  read(treeId: TreeId): Promise<void>
  /** The leading tab has stored who committed operations. */
  learn(runs: readonly AttestedRun[]): void
  /** Called with the id of a tree when more is known of it. */
  readonly listeners: Listeners<TreeId>
}

export interface OpAuthorsDeps {
  readonly spaceId: SpaceId
  readonly storage: Pick<ClientStorage, 'readAttested'>
  /** The trees that are open, or are being opened. Others are forgotten. */
  readonly openTrees: () => readonly TreeId[]
}

type PeerRuns = Map<PeerId, ClockRun[]>

interface KnownTree {
  peers: PeerRuns
  /** For each read that is under way, what was learned since it began. */
  readonly reads: Set<AttestedRun[]>
}

export function createOpAuthors({ spaceId, storage, openTrees }: OpAuthorsDeps): OpAuthors {
  const trees = new Map<TreeId, KnownTree>()
  const listeners = createListeners<TreeId>()

  function forgetClosed(): void {
    const open = new Set(openTrees())
    for (const [treeId, { reads }] of trees) if (!open.has(treeId) && reads.size === 0) trees.delete(treeId)
  }

  /** The tree, from its first read on. Nothing is stored yet of one that was created here. */
  function find(treeId: TreeId): KnownTree | undefined {
    const known = trees.get(treeId)
    if (known !== undefined || !openTrees().includes(treeId)) return known
    const created: KnownTree = { peers: new Map(), reads: new Set() }
    trees.set(treeId, created)
    return created
  }

  return {
    listeners,
    of({ treeId, clock, peerId }) {
      // Ids of another form name nothing.
      const runs = trees.get(treeId as TreeId)?.peers.get(peerId as PeerId)
      const found = runs && attestationAt(runs, clock)
      return found === undefined ? null : { userId: found.userId, at: found.at }
    },
    async read(treeId) {
      forgetClosed()
      const tree = trees.get(treeId) ?? { peers: new Map(), reads: new Set() }
      trees.set(treeId, tree)
      const learned: AttestedRun[] = []
      tree.reads.add(learned)
      try {
        const stored = await storage.readAttested(spaceId, treeId)
        // The storage knows what was attested first, and what was replaced.
        tree.peers = new Map()
        addAll(tree.peers, stored)
        addAll(tree.peers, learned)
      } finally {
        tree.reads.delete(learned)
      }
      listeners.emit(treeId)
    },
    learn(runs) {
      for (const [treeId, learned] of Map.groupBy(runs, (run) => run.treeId)) {
        const tree = find(treeId)
        if (tree === undefined) continue
        addAll(tree.peers, learned)
        for (const read of tree.reads) read.push(...learned)
        listeners.emit(treeId)
      }
    },
  }
}

function addAll(peers: PeerRuns, runs: readonly AttestedRun[]): void {
  for (const { peerId, from, to, userId, at } of runs) {
    const known = peers.get(peerId) ?? []
    peers.set(peerId, known)
    addRun(known, { from, to, userId, at })
  }
}
