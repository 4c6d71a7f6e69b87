import type { VertexOperation } from 'reptree'
import { expect, test } from 'vitest'

import { Replica } from './replica.ts'

const root: VertexOperation = { id: { counter: 1, peerId: '1' }, targetId: 'root', parentId: null }
const write = (counter: number, value: string | undefined, transient = false): VertexOperation => ({
  id: { counter, peerId: '2' },
  targetId: 'root',
  key: 'text',
  value,
  transient,
})

test('a transient value covers the stored one, is not an operation or part of the digest, and observers see it', () => {
  const tree = new Replica({ ops: [root, write(2, 'stored')] })
  const digest = tree.digest()
  const values: unknown[] = []
  tree.observeVertex('root', (vertex) => values.push(vertex.getProperty('text')))
  tree.showTransient('root', 'text', 'streamed')
  tree.flushEvents()
  expect(tree.getVertexProperty('root', 'text', false)).toBe('stored')
  tree.showTransient('root', 'text', undefined)
  tree.flushEvents()
  expect(values).toEqual(['stored', 'streamed', 'stored'])
  expect(tree.digest()).toBe(digest)
  expect(tree.popLocalOps()).toEqual([])
  expect(tree.getAllOps()).toHaveLength(2)
  tree.showTransient('unknown', 'text', 'nothing')
})

test('a transient value ends when an operation writes its key, even if that loses to a later write', () => {
  const tree = new Replica({ ops: [root, write(10, 'late')] })
  tree.showTransient('root', 'text', 'streamed')
  tree.merge([write(10, 'late')])
  expect(tree.getVertexProperty('root', 'text')).toBe('streamed')
  tree.merge([write(5, 'early')])
  expect(tree.getVertexProperty('root', 'text')).toBe('late')
})

test('a transient value stays when an earlier operation of its own peer arrives, and ends with any other', () => {
  const shownBy = (by: { counter: number; peerId: string }): Replica => {
    const tree = new Replica({ ops: [root] })
    tree.showTransient('root', 'text', 'streamed', by)
    tree.merge([write(5, 'stored')])
    return tree
  }
  const late = shownBy({ counter: 6, peerId: '2' })
  expect(late.getVertexProperty('root', 'text')).toBe('streamed')
  expect(late.getVertexProperty('root', 'text', false)).toBe('stored')
  late.merge([write(7, 'stored after')])
  expect(late.getVertexProperty('root', 'text')).toBe('stored after')
  expect(shownBy({ counter: 6, peerId: '3' }).getVertexProperty('root', 'text')).toBe('stored')
  expect(shownBy({ counter: 4, peerId: '2' }).getVertexProperty('root', 'text')).toBe('stored')
})

test('a transient edit is handed to listeners, is not stored, and its id is not used again', () => {
  const tree = new Replica({ ops: [root] })
  const heard: [number, boolean][] = []
  tree.onLocalOp((op) => heard.push([op.id.counter, 'transient' in op && op.transient]))
  tree.setTransientVertexProperty('root', 'text', 'draft')
  tree.setVertexProperty('root', 'other', 1)
  expect(tree.getVertexProperty('root', 'text')).toBe('draft')
  tree.commitTransients('root')
  expect(tree.getVertexProperty('root', 'text', false)).toBe('draft')
  expect(heard).toEqual([
    [2, true],
    [3, false],
    [4, false],
  ])
  expect(tree.getAllOps().map((op) => op.id.counter)).toEqual([1, 3, 4])
})

test('transients are committed together or, if one cannot be stored, not at all', () => {
  const tree = new Replica({ ops: [root] })
  tree.showTransient('root', 'text', 'streamed', { counter: 41, peerId: '2' })
  tree.showTransient('root', 'no@key', 1)
  expect(() => tree.root!.commitTransients()).toThrow(TypeError)
  expect(tree.popLocalOps()).toEqual([])
  expect(tree.getVertexProperty('root', 'text')).toBe('streamed')
  tree.showTransient('root', 'no@key', undefined)
  tree.root!.commitTransients()
  tree.root!.commitTransients()
  expect(tree.popLocalOps()).toMatchObject([{ key: 'text', value: 'streamed', transient: false }])
  expect(tree.getVertexProperty('root', 'text', false)).toBe('streamed')
})

test('the merged transient operation with the highest id is shown until a later operation is stored', () => {
  const tree = new Replica({ ops: [root] })
  tree.merge([write(6, 'six', true), write(5, 'five', true)])
  expect(tree.getVertexProperty('root', 'text')).toBe('six')
  tree.merge([write(4, 'stored before')])
  expect(tree.getVertexProperty('root', 'text')).toBe('six')
  tree.merge([write(7, 'stored after')])
  expect(tree.getVertexProperty('root', 'text')).toBe('stored after')
  expect(tree.getAllOps()).toHaveLength(3)
})
