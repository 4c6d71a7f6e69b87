import { limits, vertexIdSchema, type TreeId, type TreeOperation } from '@t69/protocol'
import { Replica, toVertexOperation } from '@t69/replica'

import type { Divergence, TreeVerdict } from '../engine/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { OpenTrees } from './open-trees.ts'

export interface TreeChecksDeps {
  readonly runtime: Runtime
  readonly trees: OpenTrees
  readonly readTree: (treeId: TreeId) => Promise<TreeOperation[]>
  /** The position in the log at which all open trees are, or null while edits or operations are under way. */
  readonly cursor: () => number | null
  /** Asks the leading tab to compare a tree. `compared` is called with its verdict, unless that tab closes. */
  readonly compare: (treeId: TreeId, cursor: number, digest: string) => void
  /** Asks the leading tab to read the log again from its start. `rebuilt` is called when that is done. */
  readonly distrust: () => void
  readonly report: (divergence: Divergence) => void
  /** Called when another replica has taken the tree's place. */
  readonly onReplaced: (treeId: TreeId) => void
}

/**
 * Compares each open tree with the server's log, after it has changed and the space has been quiet for a while. A tree
 * that does not match the log is rebuilt from storage; if the storage does not match either, the whole log is read and
 * stored again. A mismatch is always a bug: this is how it is noticed, reported and repaired.
 */
export interface TreeChecks {
  /** A tree was filled, edited or merged into, and has to be compared. */
  changed(treeId: TreeId): void
  /** `cursor` may be a number again. */
  resumed(): void
  /** The verdict on a tree has arrived. */
  compared(verdict: TreeVerdict): void
  /** The log was read again: replaces the open trees that do not match it. */
  rebuilt(): Promise<void>
  stop(): void
  /** Compares again, after a stop. */
  start(): void
}

/** How long the space must be quiet before trees are compared, in ms. Chance adds up to half as much again. */
const quietMs = 30_000
/** How long to wait for a verdict, in ms: longer than any request takes. The tab that was asked may have closed. */
const answerMs = 60_000
/** Pause after all trees matched, in ms. A digest reads a whole tree. */
const intervalMs = 10 * 60_000
/** Steps of a digest that are made at once. A page has a frame of 16 ms. */
const stepsAtOnce = 4
/** Rebuilds of a tree. If it still does not match after them, it is left to people who read the server's log. */
const maxRebuilds = 2

export function createTreeChecks(deps: TreeChecksDeps): TreeChecks {
  const { runtime, trees } = deps
  /** The trees that have changed since they last matched. */
  const due = new Set<TreeId>()
  const suspects = new Map<TreeId, { readonly cursor: number; rebuilds: number }>()
  let asked: { readonly treeId: TreeId; readonly cursor: number; readonly changes: number } | null = null
  let changes = 0
  let changesBefore = -1
  /** How many comparisons in a row got no verdict. */
  let unjudged = 0
  let cancel: (() => void) | null = null
  let stopped = false

  function wait(delayMs: number): void {
    if (stopped) return
    cancel?.()
    cancel = runtime.setTimer(compareNext, delayMs * (1 + runtime.random() / 2))
  }

  /** Compares the next tree, if nothing has changed since the last call. */
  function compareNext(): void {
    cancel = null
    const isQuiet = changes === changesBefore
    changesBefore = changes
    const cursor = deps.cursor()
    // Nothing can be compared now, and perhaps never: `resumed` starts it again.
    if (cursor === null) return
    if (!isQuiet) return wait(quietMs)
    for (const treeId of due) {
      const tree = trees.get(treeId)
      if (tree !== undefined) return compare(treeId, tree, cursor)
      due.delete(treeId)
    }
    // No tree is left to compare: the next change starts it again.
  }

  function compare(treeId: TreeId, tree: Replica, cursor: number): void {
    const before = changes
    const steps = tree.digestSteps()
    function digestSlice(): void {
      cancel = null
      if (changes !== before || trees.get(treeId) !== tree || deps.cursor() !== cursor) return wait(quietMs)
      for (let count = 0; count < stepsAtOnce; count++) {
        const step = steps.next()
        if (step.done !== true) continue
        asked = { treeId, cursor, changes }
        wait(answerMs)
        return deps.compare(treeId, cursor, step.value)
      }
      cancel = runtime.setTimer(digestSlice, 0)
    }
    digestSlice()
  }

  /** Rebuilds a tree that does not match the log, from storage or from the log. */
  async function repair(treeId: TreeId, cursor: number, expected: string): Promise<void> {
    const shown = trees.get(treeId)
    const before = changes
    const isDone = await withStored(treeId, async (stored) => {
      if (shown === undefined || changes !== before) return true
      if (stored.digest() !== expected) return false
      await replace(treeId, shown, stored, { source: 'replica', cursor })
      return true
    })
    if (isDone) return
    const suspect = suspects.get(treeId) ?? { cursor, rebuilds: 0 }
    if (suspect.rebuilds >= maxRebuilds) return void due.delete(treeId)
    suspects.set(treeId, { cursor, rebuilds: suspect.rebuilds + 1 })
    deps.distrust()
  }

  /** Builds a tree from storage, for as long as `use` takes. */
  async function withStored<T>(treeId: TreeId, use: (stored: Replica) => Promise<T>): Promise<T> {
    const stored = new Replica({ treeId, ops: (await deps.readTree(treeId)).map(toVertexOperation) })
    try {
      return await use(stored)
    } finally {
      stored.dispose()
    }
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
        // Other trees go first. And a tree that is too large to be compared must not cost a digest every minute.
        if (due.delete(treeId)) due.add(treeId)
        return wait(Math.min(quietMs * 2 ** unjudged++, intervalMs))
      }
      unjudged = 0
      if (!isSame) return wait(quietMs)
      if (!matches) {
        wait(quietMs)
        // A failing storage is reported elsewhere. The tree is compared again later.
        void repair(treeId, cursor, digest).catch(() => {})
        return
      }
      due.delete(treeId)
      suspects.delete(treeId)
      if (due.size > 0) compareNext()
      else wait(intervalMs)
    },
    async rebuilt() {
      for (const treeId of trees.ids()) {
        const shown = trees.get(treeId)
        if (shown === undefined) continue
        await withStored(treeId, async (stored) => {
          const cursor = suspects.get(treeId)?.cursor ?? 0
          if (trees.get(treeId) !== shown || shown.digest() === stored.digest()) return
          await replace(treeId, shown, stored, { source: 'storage', cursor })
        })
      }
    },
    stop() {
      stopped = true
      cancel?.()
      cancel = null
      asked = null
    },
    start() {
      stopped = false
    },
  }
}
