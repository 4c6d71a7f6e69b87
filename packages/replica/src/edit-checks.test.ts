import { limits } from '@t69/protocol'
import { expect, test } from 'vitest'

import { Replica } from './replica.ts'

function treeWithChild(): { tree: Replica; childId: string; grandchildId: string } {
  const tree = Replica.create('root')
  const child = tree.newVertex('root')
  const grandchild = child.newChild()
  tree.popLocalOps()
  return { tree, childId: child.id, grandchildId: grandchild.id }
}

const cycle: Record<string, unknown> = {}
cycle['self'] = cycle

const badValues: readonly (readonly [string, unknown])[] = [
  ['NaN', Number.NaN],
  ['an infinity', Number.POSITIVE_INFINITY],
  ['a nested undefined', { a: undefined }],
  ['an array with a hole', Array.from({ length: 2 })],
  ['a date', new Date(0)],
  ['a nested date', [new Date(0)]],
  ['a function', () => 1],
  ['a bigint', 1n],
  ['half a surrogate pair', '\ud800'],
  ['a cycle', cycle],
  ['a value beyond the limit', 'x'.repeat(limits.maxValueBytes)],
  ['the key "__proto__"', JSON.parse('{"__proto__":{"a":1}}')],
]

test.each(badValues)('as a value, %s is refused before there is an operation', (_name, value) => {
  const { tree, childId } = treeWithChild()
  const before = tree.digest()
  const bad = value as string
  expect(() => tree.setVertexProperty(childId, 'k', bad)).toThrow(TypeError)
  expect(() => tree.setVertexProperties(childId, { good: 1, k: bad })).toThrow(/property "k"/)
  expect(() => tree.setTransientVertexProperty(childId, 'k', bad)).toThrow(TypeError)
  expect(() => tree.getVertex(childId)!.setProperty('k', bad)).toThrow(TypeError)
  expect(() => tree.getVertex(childId)!.setProperties({ good: 1, k: bad })).toThrow(/property "k"/)
  expect(() => tree.getVertex(childId)!.setTransientProperty('k', bad)).toThrow(TypeError)
  expect(() => tree.newVertex(childId, { k: bad })).toThrow(TypeError)
  expect(() => tree.newNamedVertex(childId, 'name', { k: bad })).toThrow(TypeError)
  expect(() => {
    tree.getVertex(childId)!.bind<{ k: string }>().k = bad
  }).toThrow(TypeError)
  expect(tree.popLocalOps()).toEqual([])
  expect(tree.digest()).toBe(before)
})

test.each(['', '__proto__', 'constructor', 'a@b', 'a\u200db', 'x'.repeat(limits.maxKeyLength + 1)])(
  'the key %j is refused before there is an operation',
  (key) => {
    const { tree, childId } = treeWithChild()
    expect(() => tree.setVertexProperty(childId, key, 1)).toThrow(TypeError)
    expect(() => tree.setTransientVertexProperty(childId, key, 1)).toThrow(TypeError)
    expect(() => tree.newVertex(childId, Object.fromEntries([[key, 1]]))).toThrow(TypeError)
    expect(tree.popLocalOps()).toEqual([])
  },
)

test('edits that no server accepts throw, and make no operation', () => {
  const { tree, childId, grandchildId } = treeWithChild()
  const edits = [
    () => tree.moveVertex('root', childId),
    () => tree.deleteVertex('root'),
    () => tree.moveVertex('0', 'root'),
    () => tree.moveVertex(childId, childId),
    () => tree.moveVertex(childId, grandchildId),
    () => tree.moveVertex(childId, 'unknown'),
    () => tree.moveVertex('unknown', childId),
    () => tree.moveVertex(childId, null as never),
    () => tree.newVertex('unknown'),
    () => tree.newNamedVertex('unknown', 'name'),
    () => tree.setVertexProperty('unknown', 'k', 1),
    () => tree.setTransientVertexProperty('unknown', 'k', 1),
    () => tree.createRoot(),
  ]
  const before = tree.digest()
  for (const edit of edits) expect(edit).toThrow(Error)
  expect(tree.popLocalOps()).toEqual([])
  expect(tree.digest()).toBe(before)
})

test('a value is copied as JSON, and does not change with the object of the caller', () => {
  const { tree, childId } = treeWithChild()
  const value = { x: -0, list: [{ y: 1 }] }
  tree.setVertexProperty(childId, 'position', value)
  tree.setVertexProperty(childId, 'zero', -0)
  value.list.push({ y: 2 })
  const ops = JSON.parse(JSON.stringify(tree.getAllOps()))
  expect(tree.getVertexProperty(childId, 'position')).toStrictEqual({ x: 0, list: [{ y: 1 }] })
  expect(tree.getVertexProperty(childId, 'zero')).toBe(0)
  expect(new Replica({ ops }).digest()).toBe(tree.digest())
})

test('a value that was read cannot be changed in place, wherever it came from, and a changed copy is an edit', () => {
  const { tree, childId } = treeWithChild()
  const child = tree.getVertex(childId)!
  const value = (): { list: string[] } => ({ list: ['a'] })
  const events: unknown[] = []
  tree.observe(childId, (changes) => events.push(...changes))
  child.setProperty('local', value())
  child.setTransientProperty('draft', value())
  tree.showTransient(childId, 'shown', value())
  tree.merge([
    { id: { counter: 90, peerId: '1' }, targetId: childId, key: 'merged', value: value(), transient: false },
    { id: { counter: 91, peerId: '1' }, targetId: childId, key: 'streamed', value: value(), transient: true },
    { id: { counter: 92, peerId: '1' }, targetId: 'later', key: 'waiting', value: value(), transient: false },
  ])
  tree.merge([{ id: { counter: 93, peerId: '1' }, targetId: 'later', parentId: 'root' }])
  tree.flushEvents()
  const read = [
    ...['local', 'draft', 'shown', 'merged', 'streamed'].map((key) => child.getProperty(key)),
    tree.getVertexProperty('later', 'waiting'),
    ...Object.values(child.getProperties()),
    ...[...tree.getAllOps(), ...tree.popLocalOps(), ...events].map((it) => (it as { value?: unknown }).value),
  ].filter((it) => typeof it === 'object')
  expect(read).toHaveLength(21)
  for (const it of read as { list: string[] }[]) {
    expect(() => it.list.push('b')).toThrow(TypeError)
    expect(() => (it.list = [])).toThrow(TypeError)
  }

  const { list } = child.getProperty('merged') as { list: string[] }
  child.setProperty('merged', { list: [...list, 'b'] })
  child.setProperty('merged', child.getProperty('merged'))
  expect(tree.popLocalOps()).toMatchObject([{ key: 'merged', value: { list: ['a', 'b'] } }])
})

test('a vertex makes an operation for a value that it does not show or store yet, however it was found', () => {
  const { tree, childId, grandchildId } = treeWithChild()
  const [child, grandchild] = [tree.getVertex(childId)!, tree.getVertex(grandchildId)!]
  child.setProperty('name', 'child')
  const found = [
    child,
    grandchild.parent!,
    grandchild.ancestors[0]!,
    tree.getParent(grandchildId)!,
    tree.root!.children[0]!,
    tree.getAllVertices().find(({ id }) => id === childId)!,
    tree.getVertexByPath('child')!,
    tree.newVertex(childId),
    child.newChild(),
    child.newNamedChild('named'),
  ]
  for (const vertex of found) {
    vertex.setProperty('text', 'stored')
    tree.popLocalOps()
    vertex.setProperty('text', 'stored')
    vertex.setProperties({ text: 'stored' })
    expect(tree.popLocalOps()).toEqual([])
    for (const write of [
      () => vertex.setProperty('text', 'stored'),
      () => vertex.setProperties({ text: 'stored' }),
    ]) {
      vertex.setTransientProperty('text', 'as it streams in')
      write()
      expect(vertex.getProperty('text')).toBe('stored')
      expect(tree.popLocalOps()).toMatchObject([{ transient: true }, { transient: false, value: 'stored' }])
    }
    expect(() => vertex.setProperties({ text: 'new', bad: Number.NaN })).toThrow(/property "bad"/)
    expect(tree.popLocalOps()).toEqual([])
  }
})
