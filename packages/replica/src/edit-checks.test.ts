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
