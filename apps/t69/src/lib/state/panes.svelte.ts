import { boxesOf, type PaneEdge } from '../model/pane-boxes.ts'
import type { Side } from '../model/split-tiles.ts'
import {
  activateTab,
  addTab,
  changeTab,
  closePane,
  closeTab,
  emptyLayout,
  focusPane,
  layoutText,
  moveTab,
  moveToPane,
  panesOf,
  parseLayout,
  resizePanes,
  restPane,
  splitPane,
  type ChatTab,
  type PaneTabs,
  type TabLayout,
} from '../model/tab-layout.ts'
import { readTabLayout, saveTabLayout } from './device-storage.ts'
import { isNarrow } from './narrow.ts'

/** How many panes are shown at once. Each holds a chat in memory. */
const mostShown = 8

/**
 * The panes of a space on this device, side by side, and their tabs. A chat that is opened comes to the front if it has a tab;
 * else it takes the place of the passing tab of the pane with the focus, or gets a passing tab there. Tabs that are kept stay
 * until they are closed.
 */
export class Panes {
  readonly #spaceId: string
  readonly #changed: () => void
  #layout = $state.raw<TabLayout>(emptyLayout(newId))
  readonly #all = $derived(panesOf(this.#layout))
  /** The pane that the page's title, its address and its keys are about. */
  readonly focused = $derived.by<PaneTabs>(() => {
    const { focusedId } = this.#layout
    const first = { id: focusedId, tabs: [], front: null, isWaiting: true }
    return this.#all.find(({ id }) => id === focusedId) ?? this.#all[0] ?? first
  })
  /** Those on screen: with a chat in front, or waiting for one. In a narrow window, the one with the focus. */
  readonly shown = $derived.by<readonly PaneTabs[]>(() => {
    const { focused } = this
    if (isNarrow()) return [focused]
    return this.#all
      .filter((pane) => pane.front !== null || pane.isWaiting || pane === focused)
      .filter((pane, index) => index < mostShown || pane === focused)
  })
  readonly boxes = $derived.by(() => {
    const ids = new Set(this.shown.map(({ id }) => id))
    return boxesOf(this.#layout.tiles, (id) => ids.has(id))
  })

  /** `changed` is called when another chat is in front, or another pane has the focus. */
  constructor(spaceId: string, changed: () => void) {
    this.#spaceId = spaceId
    this.#changed = changed
  }

  get isSplit(): boolean {
    return this.shown.length > 1
  }

  get canSplit(): boolean {
    return !isNarrow() && this.shown.length < mostShown
  }

  /** Shows what this device has stored. A chat that `canShow` refuses is not in front. */
  async restore(canShow: (treeId: string) => boolean): Promise<void> {
    const stored = parseLayout(await readTabLayout(this.#spaceId))
    if (stored === null) return
    const refused = panesOf(stored).filter(({ front }) => front !== null && !canShow(front.treeId))
    this.#layout = refused.reduce((layout, { id }) => restPane(layout, id), stored)
  }

  of(treeId: string): ChatTab | undefined {
    return this.#all.flatMap(({ tabs }) => tabs).find((tab) => tab.treeId === treeId)
  }

  /** The pane that has a chat in one of its tabs. */
  paneOf(treeId: string): PaneTabs | undefined {
    return this.#all.find(({ tabs }) => tabs.some((tab) => tab.treeId === treeId))
  }

  focus(paneId: string): void {
    this.#set(focusPane(this.#layout, paneId))
  }

  /** The pane after another one on screen, or before it. After the last comes the first. */
  beside(paneId: string, step: 1 | -1): string {
    const at = this.shown.findIndex(({ id }) => id === paneId)
    return this.shown.at((at + step) % this.shown.length)?.id ?? paneId
  }

  /** Brings a chat to the front. */
  show(treeId: string, name: string): void {
    const open = this.of(treeId)
    const passing = this.focused.tabs.find((tab) => tab.isPassing)
    if (open !== undefined) this.#set(activateTab(this.#layout, open.id))
    else if (passing === undefined) {
      const layout = focusPane(this.#layout, this.focused.id)
      const added = addTab(layout, { treeId, name, isPassing: true }, newId)
      this.#set(activateTab(added, added.addedId))
    } else {
      const changed = changeTab(this.#layout, passing.id, { treeId, name, isPassing: true })
      this.#set(activateTab(changed, passing.id))
    }
  }

  /** Leaves a pane without a chat in front. */
  rest(paneId: string): void {
    this.#set(restPane(this.#layout, paneId))
  }

  /** Opens a chat in a tab that is kept, behind the one in front. Keeps the tab that it has. */
  openBehind(treeId: string, name: string): void {
    if (this.of(treeId) !== undefined) return this.keep(treeId)
    this.#set(addTab(this.#layout, { treeId, name, isPassing: false }, newId))
    // In an empty pane it is in front.
    if (this.focused.front === null && this.focused.tabs.length === 1) this.show(treeId, name)
  }

  /** Opens a chat in a pane of its own, beside the one with the focus, or in one that waits for a chat. */
  openBeside(treeId: string, name: string): void {
    const waiting = this.shown.find(({ front }) => front === null)
    if (waiting === undefined) {
      this.openBehind(treeId, name)
      this.split(this.focused.id, 'end', treeId)
    } else {
      this.focus(waiting.id)
      this.show(treeId, name)
    }
  }

  keep(treeId: string): void {
    const tab = this.of(treeId)
    if (tab?.isPassing === true) this.#set(changeTab(this.#layout, tab.id, { ...tab, isPassing: false }))
  }

  /** Closes the tab of a chat, and its pane with the last one. */
  close(treeId: string): void {
    const tab = this.of(treeId)
    if (tab !== undefined) this.#set(closeTab(this.#layout, tab.id))
  }

  /** Moves the tab of a chat to the place of another chat's. */
  move(treeId: string, toTreeId: string): void {
    const [tab, to] = [this.of(treeId), this.of(toTreeId)]
    if (tab !== undefined && to !== undefined) this.#set(moveTab(this.#layout, tab.id, to.id))
  }

  moveToPane(treeId: string, paneId: string): void {
    const tab = this.of(treeId)
    if (tab !== undefined) this.#set(moveToPane(this.#layout, tab.id, paneId))
  }

  /**
   * Gives the tab of a chat a pane of its own beside another one. Where it is alone in that pane already, or there is no such
   * tab, opens an empty pane, of which there is one at most.
   */
  split(paneId: string, side: Side, treeId: string | null): void {
    if (!this.canSplit) return
    const tab = treeId === null ? undefined : this.of(treeId)
    const from = tab && this.#all.find(({ tabs }) => tabs.includes(tab))
    const isAlone = from === undefined || (from.id === paneId && from.tabs.length === 1)
    const waiting = this.shown.find(({ front }) => front === null)
    if (isAlone && waiting !== undefined) return this.focus(waiting.id)
    const split = splitPane(this.#layout, paneId, side, newId)
    if (isAlone || tab === undefined) return this.#set(split)
    this.#set(split.focusedId === paneId ? split : moveToPane(split, tab.id, split.focusedId))
  }

  splitFocused(side: Side): void {
    this.split(this.focused.id, side, this.focused.front?.treeId ?? null)
  }

  /** Closes a pane. Its tabs are behind those of another one then. */
  closePane(paneId: string): void {
    this.#set(closePane(this.#layout, paneId))
  }

  /** Gives what is before an edge a share of the room, in %. `isDone` is false while it is still being dragged. */
  resize(edge: PaneEdge, share: number, isDone: boolean): void {
    this.#layout = resizePanes(this.#layout, edge, share)
    if (isDone) void saveTabLayout(this.#spaceId, layoutText(this.#layout))
  }

  #set(layout: TabLayout): void {
    const [before, after] = [layoutText(this.#layout), layoutText(layout)]
    if (before === after) return
    this.#layout = layout
    void saveTabLayout(this.#spaceId, after)
    this.#changed()
  }
}

function newId(): string {
  return crypto.getRandomValues(new Uint32Array(3)).reduce((id, part) => id + part.toString(36), '')
}
