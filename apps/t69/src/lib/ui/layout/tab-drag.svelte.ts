import type { Side } from '../../model/split-tiles.ts'
import type { Panes } from '../../state/panes.svelte.ts'
import { sideOf } from './side-of.ts'

/** How far a pointer moves before a press becomes a drag, in px. */
const moveThreshold = 5

/** Where a tab would go: into a pane, or beside it. */
export interface Drop {
  readonly paneId: string
  readonly side: Side | null
}

/** The tab that is being dragged, by any pointer: along the tabs, into another pane, or to an edge of one. */
export class TabDrag {
  /** The pane and the side that are shown as its next place. */
  drop = $state.raw<Drop | null>(null)
  readonly #panes: Panes
  #dragged: { readonly treeId: string; readonly x: number; readonly y: number; isMoving: boolean } | null =
    null

  constructor(panes: Panes) {
    this.#panes = panes
  }

  begin(treeId: string, { clientX, clientY }: PointerEvent): void {
    this.#dragged = { treeId, x: clientX, y: clientY, isMoving: false }
  }

  move({ clientX, clientY }: PointerEvent): void {
    const dragged = this.#dragged
    if (dragged === null) return
    const distance = Math.hypot(clientX - dragged.x, clientY - dragged.y)
    if (distance > moveThreshold) dragged.isMoving = true
    if (!dragged.isMoving) return
    const { treeId } = dragged
    const over = document.elementFromPoint(clientX, clientY)
    const strip = over?.closest<HTMLElement>('[data-testid=tabs]')?.dataset['paneId']
    const pane = over?.closest<HTMLElement>('[data-testid=pane]')
    const isAtHome = strip !== undefined && strip === this.#panes.paneOf(treeId)?.id
    if (strip !== undefined) this.drop = isAtHome ? null : { paneId: strip, side: null }
    else this.drop = pane ? this.#dropOn(pane, { x: clientX, y: clientY }, treeId) : null
    const tab = over?.closest<HTMLElement>('[data-testid=tab]')?.dataset['treeId']
    if (!isAtHome || tab === undefined || tab === treeId) return
    this.#panes.keep(treeId)
    this.#panes.move(treeId, tab)
  }

  #dropOn(pane: HTMLElement, point: { x: number; y: number }, treeId: string): Drop | null {
    const paneId = pane.dataset['paneId'] ?? ''
    const isRightToLeft = document.documentElement.dir === 'rtl'
    const side = this.#panes.canSplit ? sideOf(pane.getBoundingClientRect(), point, isRightToLeft) : null
    const from = this.#panes.paneOf(treeId)
    // Alone in its pane, it is there already.
    return from?.id === paneId && (side === null || from.tabs.length === 1) ? null : { paneId, side }
  }

  /** Puts the tab where it was dropped. Returns its chat if it was moved at all. */
  end(): string | null {
    const [dragged, drop] = [this.#dragged, this.drop]
    this.cancel()
    if (dragged?.isMoving !== true) return null
    const { treeId } = dragged
    if (drop !== null) this.#panes.keep(treeId)
    if (drop?.side === null) this.#panes.moveToPane(treeId, drop.paneId)
    else if (drop) this.#panes.split(drop.paneId, drop.side, treeId)
    return treeId
  }

  cancel(): void {
    this.#dragged = null
    this.drop = null
  }
}
