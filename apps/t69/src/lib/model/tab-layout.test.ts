import { expect, test } from 'vitest'

import { boxesOf } from './pane-boxes.ts'
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
  type TabLayout,
} from './tab-layout.ts'

function ids(): () => string {
  let count = 0
  return () => `n${count++}`
}

/** As t69 stored it in June 2025: two panels side by side, the first with two tabs. */
const stored = JSON.stringify({
  tiles: [
    { id: 'root', type: 'grid', parent: null, rows: ['r'] },
    { id: 'r', type: 'row', parent: 'root', columns: ['cs', 'cm'], height: { value: 100, unit: '%' } },
    { id: 'cs', type: 'column', parent: 'r', child: 'side', width: { value: 300, unit: 'px' } },
    { id: 'side', type: 'content', parent: 'cs', componentId: 'sidebar', data: { componentProps: {} } },
    { id: 'cm', type: 'column', parent: 'r', child: 'g', width: { value: 100, unit: '%' } },
    { id: 'g', type: 'grid', parent: 'cm', rows: ['r2'], dontClean: true },
    { id: 'r2', type: 'row', parent: 'g', columns: ['c1', 'c2'], height: { value: 100, unit: '%' } },
    { id: 'c1', type: 'column', parent: 'r2', child: 'p1', width: { value: 50, unit: '%' } },
    { id: 'c2', type: 'column', parent: 'r2', child: 'p2', width: { value: 50, unit: '%' } },
    { id: 'p1', type: 'panel', parent: 'c1', tabs: ['a', 'b'], activeTab: 'a', leftComponents: [] },
    { id: 'p2', type: 'panel', parent: 'c2', tabs: ['c', 'x'], activeTab: 'c' },
    { id: 'a', type: 'tab', parent: 'p1', name: 'Garden', content: 'ca', isLazy: false },
    { id: 'b', type: 'tab', parent: 'p1', name: 'Bread', content: 'cb', isLazy: false },
    { id: 'c', type: 'tab', parent: 'p2', name: 'New chat', content: 'cc', isLazy: true },
    { id: 'x', type: 'tab', parent: 'p2', name: 'Settings', content: 'cx', isLazy: false },
    {
      id: 'ca',
      type: 'content',
      parent: 'a',
      componentId: 'chat',
      data: { componentProps: { treeId: 'tg' } },
    },
    {
      id: 'cb',
      type: 'content',
      parent: 'b',
      componentId: 'chat',
      data: { componentProps: { treeId: 'tb' } },
    },
    {
      id: 'cc',
      type: 'content',
      parent: 'c',
      componentId: 'chat',
      data: { componentProps: { treeId: 'tn' } },
    },
    { id: 'cx', type: 'content', parent: 'x', componentId: 'settings', data: {} },
  ],
  metadata: { activePanel: 'p2', focusedActiveTab: 'c' },
})

const tabsOf = (layout: TabLayout): ChatTab[] => panesOf(layout).flatMap(({ tabs }) => tabs)
const trees = (layout: TabLayout): string[] => tabsOf(layout).map(({ treeId }) => treeId)
const focused = (layout: TabLayout) => panesOf(layout).find(({ id }) => id === layout.focusedId)!
const front = (layout: TabLayout): string | undefined => focused(layout).front?.treeId
/** The chats of each pane, the one in front in brackets. */
const panes = (layout: TabLayout): string[] =>
  panesOf(layout).map(({ tabs, front }) =>
    tabs.map(({ id, treeId }) => (id === front?.id ? `[${treeId}]` : treeId)).join(' '),
  )
/** Where the panes are: start, top, width and height in %. */
const places = ({ tiles }: TabLayout, isShown: (id: string) => boolean = () => true): number[][] =>
  boxesOf(tiles, isShown).panes.map(({ start, top, width, height }) =>
    [start, top, width, height].map((each) => Math.round(each)),
  )
const read = (): TabLayout => parseLayout(stored)!

test('the tabs of a layout of June 2025 are read, of all its panels, with the one that was in front', () => {
  const layout = read()
  expect(tabsOf(layout)).toEqual([
    { id: 'a', treeId: 'tg', name: 'Garden', isPassing: false },
    { id: 'b', treeId: 'tb', name: 'Bread', isPassing: false },
    { id: 'c', treeId: 'tn', name: 'New chat', isPassing: true },
  ])
  expect(panes(layout)).toEqual(['[tg] tb', '[tn]'])
  expect(front(layout)).toBe('tn')
})

test('a layout that is only read is written as it was', () => {
  expect(JSON.parse(layoutText(read()))).toEqual(JSON.parse(stored))
})

test('tabs open after the one in front, change their chat, come to the front, move and close', () => {
  const newId = ids()
  let layout: TabLayout = activateTab(read(), 'a')
  layout = addTab(layout, { treeId: 't4', name: 'Four', isPassing: false }, newId)
  expect(panes(layout)).toEqual(['[tg] t4 tb', '[tn]'])
  layout = changeTab(layout, 'c', { treeId: 't5', name: 'Five', isPassing: true })
  expect(panes(layout)).toEqual(['[tg] t4 tb', '[t5]'])
  layout = moveTab(layout, 'a', 'b')
  expect(panes(layout)).toEqual(['t4 tb [tg]', '[t5]'])
  layout = closeTab(layout, 'a')
  expect(panes(layout)).toEqual(['t4 [tb]', '[t5]'])
  expect(front(layout)).toBe('tb')
  const again = parseLayout(layoutText(layout))!
  expect(again.tiles).toEqual(layout.tiles)
  expect(front(again)).toBe('tb')
})

test('a tab that moves to another pane comes to the front there, and leaves another one in front', () => {
  const layout = moveTab(activateTab(read(), 'a'), 'a', 'c')
  expect(panes(layout)).toEqual(['[tb]', '[tg] tn'])
  expect(front(layout)).toBe('tg')
  expect(layout.tiles.get('a')!['parent']).toBe('p2')
  expect(panes(moveToPane(layout, 'b', 'p2'))).toEqual(['tg tn [tb]'])
})

test('closing the last tab leaves a layout that takes new ones', () => {
  let layout: TabLayout = emptyLayout(ids())
  const newId = ids()
  expect(tabsOf(layout)).toEqual([])
  const added = addTab(layout, { treeId: 't', name: 'T', isPassing: true }, () => `m${newId()}`)
  layout = closeTab(activateTab(added, added.addedId), added.addedId)
  expect(front(layout)).toBeUndefined()
  expect(tabsOf(layout)).toEqual([])
  const again = addTab(layout, { treeId: 't2', name: 'T', isPassing: true }, () => `k${newId()}`)
  expect(trees(again)).toEqual(['t2'])
  expect(trees(parseLayout(layoutText(again))!)).toEqual(['t2'])
})

test('a pane splits to all four sides, and the layout before is back once the new ones are closed', () => {
  const newId = ids()
  const before = closeTab(closeTab(read(), 'c'), 'x')
  expect(places(before)).toEqual([[0, 0, 100, 100]])
  let layout = splitPane(before, 'p1', 'end', newId)
  expect(places(layout)).toEqual([
    [0, 0, 50, 100],
    [50, 0, 50, 100],
  ])
  expect(focused(layout).isWaiting).toBe(true)
  const right = layout.focusedId
  layout = splitPane(layout, right, 'bottom', newId)
  const below = layout.focusedId
  expect(places(layout)).toEqual([
    [0, 0, 50, 100],
    [50, 0, 50, 50],
    [50, 50, 50, 50],
  ])
  layout = splitPane(layout, below, 'top', newId)
  layout = splitPane(layout, 'p1', 'start', newId)
  expect(places(layout)).toEqual([
    [0, 0, 25, 100],
    [25, 0, 25, 100],
    [50, 0, 50, 50],
    [50, 50, 50, 25],
    [50, 75, 50, 25],
  ])
  // As t69 has it: the root keeps its one row, and every tile names the one that it is in.
  expect(layout.tiles.get('root')!['rows']).toEqual(['r'])
  expect(layout.tiles.get('r')!['columns']).toEqual(['cs', 'cm'])
  const text = layoutText(layout)
  expect(places(parseLayout(text)!)).toEqual(places(layout))
  for (const tile of Array.from(layout.tiles.values()).filter(({ id }) => id !== 'root'))
    expect(JSON.stringify(layout.tiles.get(String(tile['parent'])))).toContain(String(tile['id']))
  for (const { id } of panesOf(layout)) if (id !== 'p1') layout = closePane(layout, id)
  expect(Array.from(layout.tiles.values()).map(({ id }) => id)).toEqual([...before.tiles.keys()])
  expect(panes(layout)).toEqual(panes(before))
})

test('a pane whose parent is the root is split below it', () => {
  const newId = ids()
  const flat = JSON.stringify({
    tiles: [
      { id: 'root', type: 'grid', parent: null, rows: ['r'] },
      { id: 'r', type: 'row', parent: 'root', columns: ['cs', 'c'] },
      { id: 'cs', type: 'column', parent: 'r', child: 'side', width: { value: 300, unit: 'px' } },
      { id: 'side', type: 'content', parent: 'cs', componentId: 'sidebar' },
      { id: 'c', type: 'column', parent: 'r', child: 'p' },
      { id: 'p', type: 'panel', parent: 'c', tabs: [], activeTab: null },
    ],
  })
  const layout = splitPane(parseLayout(flat)!, 'p', 'end', newId)
  expect(layout.tiles.get('root')!['rows']).toEqual(['r'])
  expect(layout.tiles.get('r')!['columns']).toEqual(['cs', 'c'])
  expect(places(layout)).toEqual([
    [0, 0, 50, 100],
    [50, 0, 50, 100],
  ])
})

test('closing a pane keeps its tabs in the one beside it, and so does one that t69 alone knows', () => {
  const layout = closePane(activateTab(read(), 'c'), 'p2')
  expect(panes(layout)).toEqual(['[tg] tb tn'])
  expect(front(layout)).toBe('tg')
  expect(layout.tiles.get('p1')!['tabs']).toEqual(['a', 'b', 'c', 'x'])
  expect(layout.tiles.get('x')!['parent']).toBe('p1')
  expect(layout.tiles.get('c1')!['width']).toEqual({ value: 100, unit: '%' })
  expect(closePane(layout, 'p1')).toEqual(layout)
})

test('a pane whose last tab closes or moves goes, and the last pane stays', () => {
  let layout = closeTab(read(), 'x')
  layout = closeTab(layout, 'c')
  expect(panes(layout)).toEqual(['[tg] tb'])
  expect(layout.focusedId).toBe('p1')
  layout = closeTab(closeTab(layout, 'a'), 'b')
  expect(panes(layout)).toEqual([''])
  expect(focused(layout).isWaiting).toBe(true)
})

test('an edge gives room to one side, which the other side loses, and both stay wide enough to be read', () => {
  const [edge] = boxesOf(read().tiles, () => true).edges
  expect(edge).toMatchObject({ axis: 'x', share: 50, start: 50, width: 0, height: 100 })
  const wider = resizePanes(read(), edge!, 70)
  expect(places(wider)[1]).toEqual([70, 0, 30, 100])
  expect(wider.tiles.get('c1')!['width']).toEqual({ value: 70, unit: '%' })
  expect(places(resizePanes(read(), edge!, 500))[1]).toEqual([85, 0, 15, 100])
  expect(places(resizePanes(read(), edge!, -5))[1]).toEqual([15, 0, 85, 100])
  expect(resizePanes(read(), edge!, Number.NaN)).toEqual(read())
})

test('panes that are not shown leave no gaps', () => {
  expect(places(read(), (id) => id === 'p2')).toEqual([[0, 0, 100, 100]])
  expect(boxesOf(read().tiles, () => false)).toEqual({ panes: [], edges: [] })
})

test('a pane may have no tab in front, which is kept', () => {
  const layout = restPane(focusPane(read(), 'p1'), 'p1')
  expect(panes(layout)).toEqual(['tg tb', '[tn]'])
  const again = parseLayout(layoutText(layout))!
  expect(again.focusedId).toBe('p1')
  expect(panes(again)).toEqual(['tg tb', '[tn]'])
})

test('a chat that two tabs name, or one tab that is named twice, has one of them', () => {
  const twice = JSON.parse(stored)
  twice.tiles.find(({ id }: { id: string }) => id === 'p1').tabs = ['a', 'b', 'a']
  twice.tiles.find(({ id }: { id: string }) => id === 'p2').tabs = ['b', 'c', 'c']
  expect(panes(parseLayout(JSON.stringify(twice))!)).toEqual(['[tg] tb', '[tn]'])
})

test('sizes that no screen could show are shown', () => {
  const twice = JSON.parse(stored)
  twice.tiles.find(({ id }: { id: string }) => id === 'cc').data.componentProps.treeId = 'tg'
  for (const [c1, c2] of [
    [{ value: -5, unit: '%' }, 1e308],
    [null, { value: 0, unit: '%' }],
    [
      { value: 1, unit: '%' },
      { value: 5_000, unit: 'px' },
    ],
    [{ value: 'a' }, { unit: 'auto' }],
  ]) {
    for (const tile of twice.tiles) {
      if (tile.id === 'c1') tile.width = c1
      if (tile.id === 'c2') tile.width = c2
    }
    const layout = parseLayout(JSON.stringify(twice))!
    expect(panes(layout)).toEqual(['[tg] tb', ''])
    for (const [, , width] of places(layout)) expect(width).toBeGreaterThan(5)
    expect(places(layout).reduce((sum, [, , width]) => sum + width!, 0)).toBe(100)
  }
})

test('text that is no layout is none, and one that leads in circles is read once', () => {
  for (const text of [
    null,
    undefined,
    '',
    'x',
    '[]',
    '{}',
    '{"tiles":5}',
    '{"tiles":[null,5,{"id":7}]}',
    '"a"',
  ])
    expect(parseLayout(text)).toBeNull()
  const circle = JSON.stringify({
    tiles: [
      { id: 'root', type: 'grid', parent: null, rows: ['r'] },
      { id: 'r', type: 'row', parent: 'root', columns: ['c', 'd'] },
      { id: 'c', type: 'column', parent: 'r', child: 'root' },
      { id: 'd', type: 'column', parent: 'r', child: 'p' },
      { id: 'p', type: 'panel', parent: 'd', tabs: ['gone', 'p', 4], activeTab: 3 },
    ],
    metadata: 3,
  })
  expect(tabsOf(parseLayout(circle)!)).toEqual([])
})

test('a layout that nests without end, or names itself, is split and closed without an error', () => {
  const deep: object[] = [{ id: 'g0', type: 'grid', parent: null, rows: ['r0'] }]
  for (let depth = 0; depth < 2_000; depth++) {
    const inner = depth === 1_999 ? 'g3' : `g${depth + 1}`
    deep.push(
      { id: `r${depth}`, type: 'row', parent: `g${depth}`, columns: [`c${depth}`, `d${depth}`] },
      { id: `c${depth}`, type: 'column', parent: `r${depth}`, child: inner },
      { id: `d${depth}`, type: 'column', parent: `r${depth}`, child: depth < 3 ? `p${depth}` : 'r0' },
      { id: `p${depth}`, type: 'panel', parent: `d${depth}`, tabs: ['gone'], activeTab: {} },
      {
        id: `g${depth + 1}`,
        type: 'grid',
        parent: `c${depth}`,
        rows: [`r${depth + 1}`, 'r0', `r${depth + 1}`],
      },
    )
  }
  let layout = parseLayout(JSON.stringify({ tiles: deep, metadata: [] }))!
  expect(panesOf(layout)).toHaveLength(3)
  expect(places(layout)).toHaveLength(3)
  layout = splitPane(layout, 'p1', 'bottom', ids())
  layout = closePane(closePane(layout, 'p1'), 'p0')
  expect(places(layout)).toHaveLength(2)
})
