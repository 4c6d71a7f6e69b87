import { resizeTiles, type PaneEdge } from './pane-boxes.ts'
import { removePanel, splitTiles, type Side } from './split-tiles.ts'
import {
  objectOf,
  panelsOf,
  placeOf,
  textIn,
  textsIn,
  whole,
  withTiles,
  type Tile,
  type Tiles,
} from './tiles.ts'

/**
 * The open tabs of a space, in the form that t69 has always stored them (`ttabsLayout`): tiles, each a grid of rows of columns,
 * or a panel of tabs, which name their content. A panel is a pane on screen, which shows the chat of the tab in front. Properties
 * and tiles that mean nothing here stay as they are.
 */

export interface ChatTab {
  /** The tile. */
  readonly id: string
  readonly treeId: string
  /** The title that the chat had. */
  readonly name: string
  /** The next chat that is opened in its pane takes its place. t69 calls it lazy. */
  readonly isPassing: boolean
}

export interface PaneTabs {
  /** The panel. */
  readonly id: string
  readonly tabs: readonly ChatTab[]
  /** The tab whose chat is shown; null for none. */
  readonly front: ChatTab | null
  /** It was opened for a chat that is yet to be chosen. */
  readonly isWaiting: boolean
}

export interface TabLayout {
  readonly tiles: Tiles
  /** The panel of the pane in which the next chat is opened. */
  readonly focusedId: string
  readonly metadata: Tile
}

/** The layout of a space without any. Its ids are those that `newId` makes. */
export function emptyLayout(newId: () => string): TabLayout {
  const [root, row, side, sidebar, main, content] = [newId(), newId(), newId(), newId(), newId(), newId()]
  const [inner, column, panel] = [newId(), newId(), newId()]
  const tiles: Tile[] = [
    { id: root, type: 'grid', parent: null, rows: [row] },
    { id: row, type: 'row', parent: root, columns: [side, main], height: whole },
    { id: side, type: 'column', parent: row, child: sidebar, width: { value: 0, unit: 'px' } },
    { id: sidebar, type: 'content', parent: side, componentId: 'sidebar' },
    { id: main, type: 'column', parent: row, child: content, width: whole },
    { id: content, type: 'grid', parent: main, rows: [inner], dontClean: true },
    { id: inner, type: 'row', parent: content, columns: [column], height: whole },
    { id: column, type: 'column', parent: inner, child: panel, width: whole },
    { id: panel, type: 'panel', parent: column, tabs: [], activeTab: null },
  ]
  return {
    tiles: new Map(tiles.map((tile) => [textIn(tile, 'id'), tile])),
    focusedId: panel,
    metadata: {},
  }
}

/** Null for text that is no layout with a panel for tabs. */
export function parseLayout(json: string | null | undefined): TabLayout | null {
  const stored = objectOf(parsed(json ?? ''))
  const list = Array.isArray(stored['tiles']) ? stored['tiles'] : Object.values(objectOf(stored['tiles']))
  const named = list.map(objectOf).filter((tile) => textIn(tile, 'id') !== '')
  const tiles = new Map(named.map((tile) => [textIn(tile, 'id'), tile]))
  const metadata = objectOf(stored['metadata'])
  const panels = panelsOf(tiles)
  const focusedTab = textIn(metadata, 'focusedActiveTab')
  const focused =
    panels.find((panel) => textIn(panel, 'activeTab') === focusedTab && focusedTab !== '') ??
    panels.find((panel) => textIn(panel, 'id') === metadata['activePanel']) ??
    panels[0]
  return focused === undefined ? null : { tiles, focusedId: textIn(focused, 'id'), metadata }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

export function layoutText({ tiles, focusedId, metadata }: TabLayout): string {
  const focusedActiveTab = tiles.get(focusedId)?.['activeTab'] ?? null
  return JSON.stringify({
    tiles: [...tiles.values()],
    metadata: { ...metadata, activePanel: focusedId, focusedActiveTab },
  })
}

/** The panes with their tabs, from the first to the last on screen. Each chat has one tab. */
export function panesOf({ tiles }: TabLayout): PaneTabs[] {
  const known = new Set<string>()
  return panelsOf(tiles).map((panel) => {
    const ids = textsIn(panel, 'tabs')
    const tabs = ids.flatMap((id) => {
      const tab = chatTab(tiles, id)
      if (tab === null || known.has(tab.treeId)) return []
      known.add(tab.treeId)
      return tab
    })
    return { id: textIn(panel, 'id'), tabs, front: frontOf(panel, tabs), isWaiting: ids.length === 0 }
  })
}

/** t69 has always one in front. Here there may be none, which is null. */
function frontOf(panel: Tile, tabs: readonly ChatTab[]): ChatTab | null {
  if (panel['activeTab'] === null) return null
  return tabs.find(({ id }) => id === panel['activeTab']) ?? tabs[0] ?? null
}

function chatTab(tiles: Tiles, id: string): ChatTab | null {
  const tab = tiles.get(id) ?? {}
  const content = tiles.get(textIn(tab, 'content')) ?? {}
  const treeId = textIn(objectOf(objectOf(content['data'])['componentProps']), 'treeId')
  if (tab['type'] !== 'tab' || content['componentId'] !== 'chat' || treeId === '') return null
  return { id, treeId, name: textIn(tab, 'name'), isPassing: tab['isLazy'] === true }
}

/** The next chat that is opened is shown in this pane. */
export function focusPane(layout: TabLayout, panelId: string): TabLayout {
  return layout.tiles.get(panelId)?.['type'] === 'panel' ? { ...layout, focusedId: panelId } : layout
}

/** Brings a tab to the front of its pane, and gives that the focus. */
export function activateTab(layout: TabLayout, id: string): TabLayout {
  const panel = panelOf(layout, id)
  if (panel === undefined) return layout
  return {
    ...layout,
    tiles: withTiles(layout.tiles, { ...panel, activeTab: id }),
    focusedId: textIn(panel, 'id'),
  }
}

/** Leaves no tab in front of a pane. */
export function restPane(layout: TabLayout, panelId: string): TabLayout {
  const panel = layout.tiles.get(panelId)
  if (panel?.['type'] !== 'panel') return layout
  return { ...layout, tiles: withTiles(layout.tiles, { ...panel, activeTab: null }) }
}

interface NewTab {
  readonly treeId: string
  readonly name: string
  readonly isPassing: boolean
}

/** Adds a tab to the pane with the focus, after the one in front, or at the end. Does not bring it to the front. */
export function addTab(
  layout: TabLayout,
  tab: NewTab,
  newId: () => string,
): TabLayout & { readonly addedId: string } {
  const [id, content] = [newId(), newId()]
  const panel = layout.tiles.get(layout.focusedId) ?? {}
  const tabs = textsIn(panel, 'tabs')
  const at = tabs.indexOf(textIn(panel, 'activeTab'))
  const tiles = withTiles(
    layout.tiles,
    { ...panel, tabs: tabs.toSpliced(at < 0 ? tabs.length : at + 1, 0, id) },
    { id, type: 'tab', parent: layout.focusedId, name: tab.name, content, isLazy: tab.isPassing },
    {
      id: content,
      type: 'content',
      parent: id,
      componentId: 'chat',
      data: { componentProps: { treeId: tab.treeId } },
    },
  )
  return { ...layout, tiles, addedId: id }
}

/** Puts another chat into a tab. */
export function changeTab(layout: TabLayout, id: string, { treeId, name, isPassing }: NewTab): TabLayout {
  const tab = layout.tiles.get(id)
  const content = tab && layout.tiles.get(textIn(tab, 'content'))
  if (tab === undefined || content === undefined) return layout
  const data = { ...objectOf(content['data']), componentProps: { treeId } }
  return {
    ...layout,
    tiles: withTiles(layout.tiles, { ...tab, name, isLazy: isPassing }, { ...content, data }),
  }
}

/** Closes a tab. If it was in front, the one after it comes there, else the one before. A pane without tabs closes. */
export function closeTab(layout: TabLayout, id: string): TabLayout {
  const panel = panelOf(layout, id)
  if (panel === undefined) return layout
  const taken = takeTab(layout, panel, id)
  const tiles = new Map(taken.tiles)
  tiles.delete(textIn(tiles.get(id) ?? {}, 'content'))
  tiles.delete(id)
  return { ...taken, tiles }
}

/** Takes a tab out of a pane, and the pane away with its last one. */
function takeTab(layout: TabLayout, panel: Tile, id: string): TabLayout {
  const panelId = textIn(panel, 'id')
  const before = textsIn(panel, 'tabs')
  const chats = before.filter((each) => chatTab(layout.tiles, each) !== null)
  const at = chats.indexOf(id)
  const next = chats[at + 1] ?? chats[at - 1] ?? null
  const tabs = before.filter((each) => each !== id)
  const activeTab = panel['activeTab'] === id ? next : panel['activeTab']
  const taken = { ...layout, tiles: withTiles(layout.tiles, { ...panel, tabs, activeTab }) }
  return tabs.length === 0 ? withoutPane(taken, panelId) : taken
}

/** Closes a pane. Its tabs go to the one before it, else after it, behind those that are there. The last pane stays. */
export function closePane(layout: TabLayout, panelId: string): TabLayout {
  const panel = layout.tiles.get(panelId)
  const next = layout.tiles.get(neighborOf(layout, panelId) ?? '')
  if (panel === undefined || next === undefined || placeOf(layout.tiles, panelId) === undefined) return layout
  const nextId = textIn(next, 'id')
  const moved = textsIn(panel, 'tabs')
  const activeTab = textIn(next, 'activeTab') === '' ? (panel['activeTab'] ?? null) : next['activeTab']
  const tiles = withTiles(
    layout.tiles,
    { ...panel, tabs: [], activeTab: null },
    { ...next, tabs: [...textsIn(next, 'tabs'), ...moved], activeTab },
    ...moved.map((id) => ({ ...layout.tiles.get(id), id, parent: nextId })),
  )
  return withoutPane({ ...layout, tiles }, panelId)
}

function withoutPane(layout: TabLayout, panelId: string): TabLayout {
  const tiles = removePanel(layout.tiles, panelId)
  if (tiles === layout.tiles || layout.focusedId !== panelId) return { ...layout, tiles }
  return { ...layout, tiles, focusedId: neighborOf(layout, panelId) ?? '' }
}

/** The pane before another one, else the one after it. */
function neighborOf({ tiles }: TabLayout, panelId: string): string | undefined {
  const ids = panelsOf(tiles).map((panel) => textIn(panel, 'id'))
  const at = ids.indexOf(panelId)
  return at < 0 ? undefined : (ids[at - 1] ?? ids[at + 1])
}

/** Adds an empty pane beside another one, and gives it the focus. */
export function splitPane(layout: TabLayout, panelId: string, side: Side, newId: () => string): TabLayout {
  const split = splitTiles(layout.tiles, panelId, side, newId)
  return split === null ? layout : { ...layout, tiles: split.tiles, focusedId: split.addedId }
}

export function resizePanes(layout: TabLayout, edge: PaneEdge, share: number): TabLayout {
  return { ...layout, tiles: resizeTiles(layout.tiles, edge, share) }
}

/** Moves a tab to the place of another one. */
export function moveTab(layout: TabLayout, id: string, toId: string): TabLayout {
  const [from, to] = [panelOf(layout, id), panelOf(layout, toId)]
  if (from === undefined || to === undefined || id === toId) return layout
  const place = textsIn(to, 'tabs').indexOf(toId)
  if (from !== to) return moveToPane(layout, id, textIn(to, 'id'), place)
  const tabs = textsIn(to, 'tabs')
    .filter((each) => each !== id)
    .toSpliced(place, 0, id)
  return { ...layout, tiles: withTiles(layout.tiles, { ...to, tabs }) }
}

/** Moves a tab into a pane, to the front, and gives that the focus. Without a place, it comes last. */
export function moveToPane(layout: TabLayout, id: string, panelId: string, place = Infinity): TabLayout {
  const from = panelOf(layout, id)
  const target = layout.tiles.get(panelId)
  if (from === undefined || target?.['type'] !== 'panel' || from === target) return layout
  const tabs = textsIn(target, 'tabs').toSpliced(place, 0, id)
  // There first: a pane without tabs would close.
  const added = withTiles(layout.tiles, { ...target, tabs, activeTab: id })
  const taken = takeTab({ ...layout, tiles: added }, from, id)
  const tiles = withTiles(taken.tiles, { ...taken.tiles.get(id), id, parent: panelId })
  return { ...taken, tiles, focusedId: panelId }
}

function panelOf({ tiles }: TabLayout, tabId: string): Tile | undefined {
  return panelsOf(tiles).find((panel) => textsIn(panel, 'tabs').includes(tabId))
}
