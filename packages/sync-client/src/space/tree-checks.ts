import { limits, vertexIdSchema, type TreeId, type TreeOperation } from '@t69/protocol'
import { Replica, toVertexOperation } from '@t69/replica'

import type { Divergence, TreeVerdict } from '../engine/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { OpenTrees } from './open-trees.ts'

export interface TreeChecksDeps {
  readonly runtime: Runtime
  readonly trees: OpenTrees
  readonly readTree: (treeId: TreeId) => Promise<TreeOperation[]>
  /** The position of the log at which all open trees are, or null while edits or operations are on their way. */
  readonly cursor: () => number | null
  /** Has the tab that leads compare a tree; `compared` is called with what came of it, unless that tab goes. */
  readonly compare: (treeId: TreeId, cursor: number, digest: string) => void
  /** Has the log read anew from its start; `rebuilt` is called once it was. */
  readonly distrust: () => void
  readonly report: (divergence: Divergence) => void
  /** Another replica has taken the place of the tree's. */
  readonly onReplaced: (treeId: TreeId) => void
}

/**
 * Compares the open trees with the server's log, each after it has changed and all was quiet for a while. A
 * tree that is not as the log has it is shown anew from what is stored; and if that is wrong as well, all is
 * stored anew from the log. To be wrong here would be a bug: this is how it comes to light, and is healed.
 */
export interface TreeChecks {
  /** A tree was filled, edited or merged into: it is to be compared. */
  changed(treeId: TreeId): void
  /** `cursor` may have become other than null. */
  resumed(): void
  compared(verdict: TreeVerdict): void
  rebuilt(): Promise<void>
  stop(): void
}

/** Nothing may happen in the space for this long (half as much again, by chance) before trees are compared. */
const quietMs = 30_000
/** How long an answer is waited for: longer than a request takes at most. The tab that was asked may be gone. */
const answerMs = 60_000
/** How long to the next time; a digest reads the whole tree. */
const intervalMs = 10 * 60_000
/** Of a digest, at once: a page has a frame of 16 ms. */
const stepsAtOnce = 4
/** A tree that is wrong after this many rebuilds is left to whoever reads the server's log. */
const maxRebuilds = 2

export function createTreeChecks(deps: TreeChecksDeps): TreeChecks {
  const { runtime, trees } = deps
  /** Changed since they last matched. */
  const due = new Set<TreeId>()
  const suspects = new Map<TreeId, { readonly cursor: number; rebuilds: number }>()
  let asked: { readonly treeId: TreeId; readonly cursor: number; readonly changes: number } | null = null
  let changes = 0
  let changesBefore = -1
  /** In a row, without a word of the log. */
  let unjudged = 0
  let cancel: (() => void) | null = null
  let stopped = false

  function wait(delayMs: number): void {
    if (stopped) return
    cancel?.()
    cancel = runtime.setTimer(look, delayMs * (1 + runtime.random() / 2))
  }

  /** Compares the next tree, if nothing has happened since the last look. */
  function look(): void {
    cancel = null
    const isQuiet = changes === changesBefore
    changesBefore = changes
    const cursor = deps.cursor()
    // Nothing is to be compared for now, perhaps for ever: `resumed` starts it again.
    if (cursor === null) return
    if (!isQuiet) return wait(quietMs)
    for (const treeId of due) {
      const tree = trees.get(treeId)
      if (tree !== undefined) return compare(treeId, tree, cursor)
      due.delete(treeId)
    }
    // Nothing is left: the next change starts it again.
  }

  function compare(treeId: TreeId, tree: Replica, cursor: number): void {
    const before = changes
    const steps = tree.digestSteps()
    function goOn(): void {
      cancel = null
      if (changes !== before || trees.get(treeId) !== tree || deps.cursor() !== cursor) return wait(quietMs)
      for (let count = 0; count < stepsAtOnce; count++) {
        const step = steps.next()
        if (step.done !== true) continue
        asked = { treeId, cursor, changes }
        wait(answerMs)
        return deps.compare(treeId, cursor, step.value)
      }
      cancel = runtime.setTimer(goOn, 0)
    }
    goOn()
  }

  async function mend(treeId: TreeId, cursor: number, expected: string): Promise<void> {
    const shown = trees.get(treeId)
    const before = changes
    using stored = await read(treeId)
    if (shown === undefined || changes !== before) return
    if (stored.digest() === expected) return replace(treeId, shown, stored, { source: 'replica', cursor })
    const suspect = suspects.get(treeId) ?? { cursor, rebuilds: 0 }
    if (suspect.rebuilds >= maxRebuilds) return void due.delete(treeId)
    suspects.set(treeId, { cursor, rebuilds: suspect.rebuilds + 1 })
    deps.distrust()
  }

  async function read(treeId: TreeId): Promise<Replica> {
    return new Replica({ treeId, ops: (await deps.readTree(treeId)).map(toVertexOperation) })
  }

  async function replace(
    treeId: TreeId,
    shown: Replica,
    stored: Replica,
    { source, cursor }: Pick<Divergence, 'source' | 'cursor'>,
  ): Promise<void> {
    const differing = shown.differencesFrom(stored)
    deps.report({
      treeId,
      cursor,
      source,
      digest: shown.digest(),
      rebuilt: stored.digest(),
      vertices: differing.slice(0, limits.maxReportedVertices).map((id) => vertexIdSchema.parse(id)),
      differing: differing.length,
    })
    await trees.replace(treeId)
    deps.onReplaced(treeId)
  }

  return {
    changed(treeId) {
      changes++
      due.add(treeId)
      if (cancel === null) wait(quietMs)
    },
    resumed() {
      if (cancel === null && due.size > 0 && deps.cursor() !== null) wait(quietMs)
    },
    compared({ treeId, cursor, matches, digest }) {
      if (asked?.treeId !== treeId || asked.cursor !== cursor || stopped) return
      const isSame = asked.changes === changes
      asked = null
      if (matches === null) {
        // Others first. And a tree that is too large to be compared must not cost a digest every minute.
        if (due.delete(treeId)) due.add(treeId)
        return wait(Math.min(quietMs * 2 ** unjudged++, intervalMs))
      }
      unjudged = 0
      if (!isSame) return wait(quietMs)
      if (!matches) {
        wait(quietMs)
        // A storage that fails says so elsewhere; the tree is compared again later.
        void mend(treeId, cursor, digest).catch(() => {})
        return
      }
      due.delete(treeId)
      suspects.delete(treeId)
      if (due.size > 0) look()
      else wait(intervalMs)
    },
    async rebuilt() {
      for (const treeId of trees.ids()) {
        const shown = trees.get(treeId)
        if (shown === undefined) continue
        using stored = await read(treeId)
        const cursor = suspects.get(treeId)?.cursor ?? 0
        if (trees.get(treeId) !== shown || shown.digest() === stored.digest()) continue
        await replace(treeId, shown, stored, { source: 'storage', cursor })
      }
    },
    stop() {
      stopped = true
      cancel?.()
    },
  }
}
