import { clashOf, type Clash } from '../model/clashes.ts'
import { tracesOf } from '../model/traces.ts'
import type { Tree } from '../model/tree.ts'
import type { History } from './history.ts'

/** How many are shown at once. The newest stay. */
const most = 3

/** Edits of the sidebar by this page and by somebody else that undid each other, until their notices are closed. */
export class Clashes {
  noticed = $state.raw<readonly Clash[]>([])
  readonly #history: History
  #stop = (): void => {}

  constructor(history: History) {
    this.#history = history
  }

  /** Watches `tree` instead of the one before. */
  watch(tree: Tree): void {
    this.#stop()
    // They hear of an operation first then: a chat that it deletes is not in view any more when the clash is looked for.
    tracesOf(tree)
    this.#stop = tree.observeOpApplied((op) => {
      const { unsent } = this.#history
      if (unsent.length === 0 || this.#history.isOwn(op.id.peerId)) return
      const clash = clashOf(tree, unsent, op)
      if (clash === null) return
      const others = this.noticed.filter((it) => it.itemId !== clash.itemId || it.kind !== clash.kind)
      this.noticed = [...others, clash].slice(-most)
    })
  }

  dismiss(clash: Clash): void {
    this.noticed = this.noticed.filter((other) => other !== clash)
  }

  stop(): void {
    this.#stop()
  }
}
