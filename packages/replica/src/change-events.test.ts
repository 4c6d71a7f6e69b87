import type { VertexChangeEvent, VertexOperation } from 'reptree'
import { expect, test, vi } from 'vitest'

import { Replica } from './replica.ts'

const move = (counter: number, targetId: string, parentId: string | null): VertexOperation => ({
  id: { counter, peerId: '1' },
  targetId,
  parentId,
})
const base = [move(1, 'root', null), move(2, 'a', 'root'), move(3, 'b', 'root'), move(4, 'c', 'a')]

function heardBy(tree: Replica, ...vertexIds: string[]): VertexChangeEvent[] {
  const events: VertexChangeEvent[] = []
  for (const id of vertexIds) tree.observe(id, (some) => events.push(...some))
  return events
}

test('operations passed to the constructor cause no events', () => {
  const tree = new Replica({ ops: base })
  const events = heardBy(tree, 'root', 'a', 'b', 'c')
  tree.flushEvents()
  expect(events).toEqual([])
})

test('a merge causes events for what has changed in the end: moves, children, properties', () => {
  const tree = new Replica({ ops: base })
  const events = heardBy(tree, 'root', 'a', 'b', 'c')
  const key = { targetId: 'b', key: 'name', transient: false }
  tree.merge([
    { ...key, id: { counter: 8, peerId: '1' }, value: 'late' },
    { ...key, id: { counter: 7, peerId: '1' }, value: 'early' },
    move(9, 'c', '0'),
    move(10, 'c', 'b'),
  ])
  expect(events).toEqual([])
  tree.flushEvents()
  const children = (id: string): unknown =>
    tree.getChildrenIds(id).map((childId) => expect.objectContaining({ id: childId }) as unknown)
  expect(events).toHaveLength(5)
  expect(events).toEqual(
    expect.arrayContaining([
      { type: 'move', vertexId: 'c', oldParentId: 'a', newParentId: 'b' },
      { type: 'children', vertexId: 'a', children: [] },
      { type: 'children', vertexId: 'b', children: children('b') },
      { type: 'property', vertexId: 'b', key: 'name', value: 'late' },
      { type: 'children', vertexId: 'root', children: children('root') },
    ]),
  )
})

test('after a pause, changes are told in the next turn, and those that follow 33 ms later, together', () => {
  vi.useFakeTimers({ now: 1_000 })
  try {
    const tree = new Replica({ ops: base })
    const events = heardBy(tree, 'a')
    const set = (counter: number) =>
      tree.merge([
        { id: { counter, peerId: '1' }, targetId: 'a', key: 'text', value: counter, transient: false },
      ])
    const heard = () => events.splice(0).map((event) => ('value' in event ? event.value : undefined))
    vi.advanceTimersByTime(1_000)
    set(10)
    set(11)
    expect(heard()).toEqual([])
    vi.advanceTimersByTime(1)
    expect(heard()).toEqual([11])
    set(12)
    vi.advanceTimersByTime(20)
    set(13)
    vi.advanceTimersByTime(10)
    expect(heard()).toEqual([])
    vi.advanceTimersByTime(5)
    expect(heard()).toEqual([13])
  } finally {
    vi.useRealTimers()
  }
})

test('a late move without effect causes no events for the moves that it undid and redid', () => {
  const tree = new Replica({ ops: [...base, move(10, 'b', 'a'), move(11, 'c', 'b')] })
  const events = heardBy(tree, 'root', 'a', 'b', 'c', '0')
  tree.merge([move(9, 'b', '0')])
  tree.flushEvents()
  expect(events).toEqual([])
})

test('move observers see a vertex as new if it did not exist at the last delivery', () => {
  const tree = new Replica({ ops: base })
  const moved: [string, boolean][] = []
  tree.observeVertexMove((vertex, isNew) => moved.push([vertex.id, isNew]))
  tree.merge([move(10, 'd', 'a'), move(11, 'd', 'b'), move(12, 'c', 'b')])
  tree.flushEvents()
  expect(moved).toEqual([
    ['d', true],
    ['c', false],
  ])
})

test('a listener that throws stops neither the merge nor the other listeners', () => {
  const errors: unknown[] = []
  const tree = new Replica({ ops: base, onListenerError: (error) => errors.push(error) })
  const broken = new Error('broken')
  const fail = (): void => {
    throw broken
  }
  tree.observeOpApplied(fail)
  tree.observe('a', fail)
  const applied: [number, string | null | undefined][] = []
  tree.observeOpApplied((op) => applied.push([op.id.counter, tree.getVertex('e')?.parentId]))
  const events = heardBy(tree, 'a')
  tree.merge([move(20, 'd', 'a'), move(21, 'e', 'd')])
  tree.flushEvents()
  expect(errors).toEqual([broken, broken, broken])
  expect(applied).toEqual([
    [20, 'd'],
    [21, 'd'],
  ])
  expect(events.map((event) => event.type)).toEqual(['children'])
})

test('events are delivered by themselves, and no longer after disposal', async () => {
  const tree = new Replica({ ops: base })
  const heard = new Promise<VertexChangeEvent[]>((resolve) => tree.observe('a', resolve))
  tree.setVertexProperty('a', 'name', 'x')
  expect(await heard).toEqual([{ type: 'property', vertexId: 'a', key: 'name', value: 'x' }])
  const events = heardBy(tree, 'a')
  tree.setVertexProperty('a', 'name', 'y')
  tree.dispose()
  tree.flushEvents()
  expect(events).toEqual([])
})

test('children are in the order of their dates, then of their creation; children ids in the order of their moves', () => {
  const date = (counter: number, targetId: string, value: string | number): VertexOperation => ({
    id: { counter, peerId: '1' },
    targetId,
    key: '_c',
    value,
    transient: false,
  })
  const ops = [
    ...base,
    move(5, 'd', 'root'),
    move(6, 'e', 'root'),
    date(7, 'a', '2026-01-02T00:00:00.000Z'),
    date(8, 'b', '2026-01-01T23:00:00.000-02:00'),
    date(9, 'd', 'no date'),
  ]
  for (const order of [ops, ops.toReversed()]) {
    const tree = new Replica({ ops: order })
    expect(tree.getChildren('root').map(({ id }) => id)).toEqual(['d', 'e', 'a', 'b'])
    tree.merge([date(20, 'b', '2025-01-01T00:00:00Z'), move(21, 'd', 'a'), move(22, 'd', 'root')])
    expect(tree.getChildren('root').map(({ id }) => id)).toEqual(['d', 'e', 'b', 'a'])
    expect(tree.getChildrenIds('root')).toEqual(['a', 'b', 'e', 'd'])
  }
})

test('a caller that changes a list of children does not change the tree', () => {
  const tree = new Replica({ ops: base })
  tree.getChildrenIds('root').pop()
  tree.getChildren('root').pop()
  tree.newVertex('root')
  expect(tree.getChildrenIds('root')).toHaveLength(3)
  expect(tree.getChildren('root')).toHaveLength(3)
})
