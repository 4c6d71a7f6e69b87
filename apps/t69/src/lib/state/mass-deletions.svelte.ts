import { watchDeletions, type Space } from '@t69/sync-client'

import { massDeletionsAfter, type MassDeletion, type Voucher } from '../model/deletions.ts'
import { shownItems } from '../model/space-tree.ts'
import type { Tree } from '../model/tree.ts'

/** The mass deletions that were noticed while the space was open, until their notices are closed. */
export class MassDeletions {
  noticed = $state.raw<readonly MassDeletion[]>([])
  #stop = (): void => {}
  /**
   * The items on screen before this page had caught up; null once it has. A history that arrives for the first time
   * deletes many items that nobody here ever saw, which is not worth a notice.
   */
  #shownBefore: ReadonlySet<string> | null

  readonly #vouch: Voucher

  constructor(space: Space, vouch: Voucher) {
    this.#vouch = vouch
    this.#shownBefore = space.status.phase === 'local' ? null : shownItems(space.root)
  }

  /** Watches `tree` instead of the one before. */
  watch(tree: Tree): void {
    this.#stop()
    this.#stop = watchDeletions(tree, (fresh) => {
      const before = this.#shownBefore
      const counts = before === null ? undefined : (id: string) => before.has(id)
      this.noticed = massDeletionsAfter(tree, this.noticed, fresh, counts, this.#vouch)
    })
  }

  /** The page has caught up: from now on every deletion counts. */
  caughtUp(tree: Tree): void {
    if (this.#shownBefore === null) return
    // The last of what arrived has not been announced yet.
    tree.flushEvents()
    this.#shownBefore = null
  }

  dismiss(deletion: MassDeletion): void {
    this.noticed = this.noticed.filter((other) => other !== deletion)
  }

  stop(): void {
    this.#stop()
  }
}
