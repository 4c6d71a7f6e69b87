import type { SpaceId, TreeId, TreeOperation } from '@t69/protocol'

import type { Runtime } from '../runtime/index.ts'
import type { ClientStorage, PageJournal } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'
import type { EditWriter } from './edit-writer.ts'
import { createOpAuthors, type OpAuthors } from './op-authors.ts'
import { createOpenTrees, type OpenTrees } from './open-trees.ts'
import { createPacedMerge } from './paced-merge.ts'
import { createSpaceTransients, type SpaceTransients } from './space-transients.ts'
import { createTreeChecks, type TreeChecks } from './tree-checks.ts'

/** The trees that a tab shows of a space, with transient values over them, and their checks against the log. */
export interface ShownTrees {
  readonly trees: OpenTrees
  readonly transients: SpaceTransients
  readonly checks: TreeChecks
  readonly authors: OpAuthors
  /** Merges stored operations of the server or another tab. */
  merge(ops: readonly TreeOperation[]): void
  /** Merges at this tab's own pace. For operations that a leader in another tab passes on. */
  follow(ops: readonly TreeOperation[]): void
  /** Operations that are stored wait to be merged, or a part of a tree is: the trees show less than this device has. */
  readonly isBehind: boolean
  /** Disposes the trees, and forgets what is shown over them. A tree that is being opened rejects with `why`. */
  suspend(why: unknown): void
  /** Reads the suspended trees again, and returns their ids: see `OpenTrees`. */
  resume(): Promise<TreeId[]>
}

export interface ShownTreesDeps {
  readonly spaceId: SpaceId
  /** The id by which other tabs know this tab. */
  readonly tab: string
  readonly storage: ClientStorage
  readonly journal: PageJournal
  readonly runtime: Runtime
  readonly tell: Tell
  readonly writer: Pick<EditWriter, 'add' | 'edits'>
  /** Resolves when every edit made so far is on disk; rejects once the space is closed. */
  readonly stored: () => Promise<void>
  /** The position in the log that this device has reached, or null while edits or operations are under way. */
  readonly cursor: () => number | null
  readonly onReplaced: (treeId: TreeId) => void
  /** Called when `isBehind` has changed. */
  readonly onBehind: () => void
}

/** The trees of operations, each once. */
function treesOf(ops: readonly TreeOperation[]): ReadonlySet<TreeId> {
  const treeIds = new Set<TreeId>()
  for (const { treeId } of ops) treeIds.add(treeId)
  return treeIds
}

export function createShownTrees(deps: ShownTreesDeps): ShownTrees {
  const { spaceId, tab, storage, journal, runtime, tell, writer } = deps
  const trees = createOpenTrees({
    spaceId,
    runtime,
    readTree,
    onMerging: deps.onBehind,
    onEdit(op) {
      transients.edited(op)
      writer.add(op)
      checks.changed(op.treeId)
    },
    onTransient: (change) => transients.made(change),
    onFilled(treeId) {
      transients.filled(treeId)
      checks.changed(treeId)
    },
    stored: deps.stored,
  })
  const authors = createOpAuthors({ spaceId, storage, openTrees: () => trees.ids() })
  const transients = createSpaceTransients({ spaceId, tab, runtime, tell, trees })
  const pace = createPacedMerge(runtime, merge, deps.onBehind)
  const checks = createTreeChecks({
    runtime,
    trees,
    readTree,
    cursor: () => (pace.isBehind || trees.isMerging ? null : deps.cursor()),
    compare: (treeId, cursor, digest) =>
      tell({ type: 'shown', spaceId, tab, tree: { treeId, cursor, digest } }),
    distrust: () => tell({ type: 'distrusted', spaceId }),
    report: (divergence) => tell({ type: 'diverged', spaceId, divergence }),
    onReplaced: deps.onReplaced,
  })

  /**
   * Reads the stored operations, the noted ones, and those that are not stored yet: edits may have waited for room on the
   * disk since an earlier page, or since the trees were suspended or closed.
   */
  async function readTree(treeId: TreeId): Promise<TreeOperation[]> {
    // Before the operations: nobody sees one without its author.
    await authors.read(treeId)
    // Before the stored ones: an edit may be stored while these are being read.
    const unstored = [...journal.noted(spaceId), ...writer.edits].filter((op) => op.treeId === treeId)
    return [...(await storage.readTree(spaceId, treeId)), ...unstored]
  }

  function merge(ops: readonly TreeOperation[]): void {
    trees.show(ops)
    transients.merged(ops)
    for (const treeId of treesOf(ops)) checks.changed(treeId)
  }

  return {
    trees,
    transients,
    checks,
    authors,
    merge,
    follow: (ops) => pace.add(ops),
    get isBehind() {
      return pace.isBehind || trees.isMerging
    },
    suspend(why) {
      trees.suspend(why)
      transients.forget()
      checks.stop()
      pace.stop()
    },
    async resume() {
      const treeIds = await trees.resume()
      checks.start()
      return treeIds
    },
  }
}
